"""Several models that predict the same, as one: the mean of what each of them says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import and_
from typing import Annotated, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
from pydantic import Field

from nncli.data.dialect import PLAIN_NUMBERS, CsvDialect
from nncli.data.encoders.anomalies import Anomalies
from nncli.data.encoders.target import Target
from nncli.data.table import Table
from nncli.model import FORMAT, Model, ModelSpec, Predictions, Version
from nncli.nn.losses import Loss
from nncli.spec import PositiveFloat, Spec, StrictStr


class EnsembleSpec(Spec):
    """What the members have in common. The labels of its `target` are those of all members: one may lack a rare class.

    The centers and scales of numbers are 0 and 1, since members answer in the target's own units. `temperature` is
    that of every member, which has none of its own.
    """

    format: Version = FORMAT
    type: Literal["ensemble"] = "ensemble"
    members: Annotated[int, Field(strict=True, ge=2)]
    target: Target
    loss: Loss
    missing_values: tuple[StrictStr, ...]
    dialect: CsvDialect = PLAIN_NUMBERS
    temperature: PositiveFloat = 1.0

    def accepts(self, member: ModelSpec) -> bool:
        """Whether a model may be a member."""
        mine, theirs = self.target, member.target
        if mine.task == "classification" and theirs.task == "classification":
            same = mine.name == theirs.name and set(theirs.labels) <= set(mine.labels)
        else:
            same = mine.task == theirs.task and mine.names == theirs.names
        return same and self.loss == member.loss


def n_outputs(target: Target) -> int:
    """Classes, or numbers, for each row."""
    return len(target.labels if target.task == "classification" else target.names)


def align_classes(target: Target, said: Predictions) -> npt.NDArray[np.float64]:
    """Predictions (rows, outputs) of what `target` knows; a class that the model does not know has probability 0."""
    known = said.target
    if target.task == "regression" or known.task == "regression" or target.labels == known.labels:
        return said.values
    where = {label: j for j, label in enumerate(target.labels)}
    values = np.zeros((len(said.values), len(where)))
    values[:, [where[label] for label in known.labels]] = said.values
    return values


@dataclass(frozen=True)
class Ensemble:
    """Models ready to predict together."""

    spec: EnsembleSpec
    members: tuple[Model, ...]

    @property
    def numeric(self) -> frozenset[str]:
        """The columns of a table whose cells are numbers, to every member that reads them at all."""
        others = [name for member in self.members for name in member.names if name not in member.numeric]
        return frozenset().union(*(member.numeric for member in self.members)).difference(others)

    @property
    def names(self) -> list[str]:
        """The columns that any member predicts from."""
        return list(dict.fromkeys(name for member in self.members for name in member.spec.encoder.names))

    @property
    def outputs(self) -> int:
        """Classes, or numbers, for each row."""
        return n_outputs(self.spec.target)

    def predict(self, table: Table) -> Predictions:
        """The mean of the members' predictions; see `Model.predict`. Strange is what is strange to all of them."""
        return self.average([member.predict(table) for member in self.members])

    def average(self, said: Sequence[Predictions]) -> Predictions:
        """The mean of what each member says of the same rows."""
        spec, total = self.spec, np.zeros((len(said[0].values), self.outputs))
        for one in said:
            total += align_classes(spec.target, one.with_temperature(spec.temperature))
        return self.mean(total, len(said), reduce(and_, (one.anomalies for one in said)))

    def mean(
        self, total: npt.NDArray[np.float64], counts: npt.NDArray[np.int64] | int, strangers: Anomalies | None = None
    ) -> Predictions:
        """The mean of `counts` predictions, (rows, 1) or of all rows, from their sum (rows, outputs)."""
        values, precision = total / counts, self.members[0].spec.network.precision
        if self.spec.target.task == "classification":
            values = values.astype(precision).astype(np.float64)  # as those of a model; see nncli.model.decode
        return Predictions(self.spec.target, values, precision, strangers or Anomalies())


AnyModel: TypeAlias = Model | Ensemble
"""What a run directory holds: both have `spec` (with target, loss, missing and dialect), `numeric` and `predict`."""
