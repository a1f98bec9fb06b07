"""An ensemble of models, which predicts the mean of its members' predictions, weighted if they have weights."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, reduce
from math import isfinite
from operator import add, and_
from typing import Annotated, Literal, Self, TypeAlias

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from nncli.base.spec import Members, PositiveFloat, Spec, StrictStr
from nncli.base.threads import limit_blas_threads
from nncli.data.columns.hashing import Hashes
from nncli.data.dialect import PLAIN_NUMBERS, CsvDialect
from nncli.data.encoders.anomalies import Anomalies, InvalidCells
from nncli.data.table import Table
from nncli.models.model import FORMAT, Model, ModelSpec, Version, hash_rows
from nncli.models.predictions import Predictions
from nncli.nn.arrays import Mask
from nncli.nn.inference.predictor import MemberInput
from nncli.nn.inference.small_blocks import MAX_ROWS
from nncli.nn.inference.stacked_predictor import MemberPredictor
from nncli.nn.losses import Loss
from nncli.targets.decision import Decision
from nncli.targets.head import Head
from nncli.targets.target import Target, TargetKind, kind_of


class EnsembleSpec(Spec):
    """The specification that all members share. `target` has the labels of all members; one may lack a rare class.

    The centers and scales of a regression target are 0 and 1, since members predict in the target's own units.
    `temperature` applies to every member, after its own, and the `decision` to their mean; they have none. The mean has
    the `weights` of the members, equal ones for None.
    """

    format: Version = FORMAT
    type: Literal["ensemble"] = "ensemble"
    members: Annotated[Members, Field(ge=2)]
    target: Target
    loss: Loss
    missing_values: tuple[StrictStr, ...]
    dialect: CsvDialect = PLAIN_NUMBERS
    temperature: PositiveFloat = 1.0
    decision: Decision | None = None
    weights: tuple[PositiveFloat, ...] | None = None

    @property
    def head(self) -> Head:
        """The target with the loss, as the parts that other rooms call."""
        return self.target.head(self.loss)

    @model_validator(mode="after")
    def _check_weights(self) -> Self:
        if self.weights is not None and (len(self.weights) != self.members or not isfinite(sum(self.weights))):
            raise ValueError("every member has a weight, with a finite sum")
        return self

    def accepts(self, member: ModelSpec) -> bool:
        """Whether a model has the target of a member, and a loss that predicts the same."""
        return self.target.accepts(member.target) and predicted_by(self.loss) == predicted_by(member.loss)


def predicted_by(loss: Loss) -> tuple[TargetKind, float | None, tuple[float, ...]]:
    """What a network of this loss predicts: the kind of target, the quantile, and the levels of several quantiles."""
    return kind_of(loss), loss.quantile, loss.quantile_levels


def spec_json(spec: ModelSpec | EnsembleSpec) -> str:
    """The JSON of a specification; without a decision, weights, an offset and monotone features if there are none."""
    excluded: dict[str, bool | set[str]] = {
        name: True for name in ("decision", "weights") if getattr(spec, name, None) is None
    }
    if isinstance(spec, ModelSpec):
        network = spec.network
        restrictions = ("monotone", "output_signs", "constant_outputs", "interactions")
        unset = {name for name in restrictions if not getattr(network, name)}
        excluded["network"] = {*unset, "offset"} if network.offset is None else unset
    return spec.model_dump_json(indent=1, exclude=excluded)


@dataclass(frozen=True)
class Ensemble:
    """A trained ensemble in memory."""

    spec: EnsembleSpec
    members: tuple[Model, ...]

    @property
    def plain_number_columns(self) -> frozenset[str]:
        """The columns whose cells are plain numbers to every member that uses them."""
        plain = [member.plain_number_columns for member in self.members]
        others = (set(member.names) - names for member, names in zip(self.members, plain, strict=True))
        return frozenset().union(*plain).difference(*others)

    @property
    def names(self) -> list[str]:
        """The names of the feature columns of any member."""
        return list(dict.fromkeys(name for member in self.members for name in member.spec.encoder.names))

    def hash_rows(self, table: Table) -> Hashes:
        """A hash of the target and of the features of the first member of each row (rows,)."""
        return hash_rows(self.members[0].spec.encoder, self.spec.target, table)

    def predict(self, table: Table) -> Predictions:
        """The mean of the members' predictions; see `Model.predict`. An anomaly is one to all members."""
        return self.average(predict_members(self, table))

    @cached_property
    def encoded_as(self) -> tuple[int, ...]:
        """For each member the first one with the same encoder, as those of several cycles of a training have."""
        encoders, first = [member.spec.encoder for member in self.members], list[int]()
        for i, encoder in enumerate(encoders):
            first.append(next((j for j in dict.fromkeys(first) if encoders[j] == encoder), i))
        return tuple(first)

    @cached_property
    def _member_predictor(self) -> MemberPredictor:
        return MemberPredictor([member.predictor for member in self.members])

    def predict_small_batch(self, table: Table) -> list[Predictions]:
        """The predictions of each member, by the calls of one network if theirs are equal; see `Model.predict`."""
        each = {i: self.members[i].encode(table) for i in set(self.encoded_as)}
        encoded = [each[i] for i in self.encoded_as]
        with limit_blas_threads(1):
            outputs = self._member_predictor.run(
                [
                    MemberInput(member.inputs(rows.X), rows.codes)
                    for member, rows in zip(self.members, encoded, strict=True)
                ]
            )
        decoded = [
            member.decode(Z, rows.context) for member, Z, rows in zip(self.members, outputs, encoded, strict=True)
        ]
        return [
            replace(member_predictions, anomalies=rows.anomalies) if rows.anomalies.columns else member_predictions
            for member_predictions, rows in zip(decoded, encoded, strict=True)
        ]

    def part(self, j: int) -> Ensemble:
        """The ensemble of one of several targets."""
        update = {"target": self.spec.target.parts[j].target, "loss": self.spec.loss.parts[j]}
        return Ensemble(self.spec.model_copy(update=update), tuple(member.part(j) for member in self.members))

    def anomalies(self, table: Table) -> Anomalies:
        """The anomalies of a table to all members, without predicting it."""
        table = table.with_cache()
        return shared_anomalies(self, table, [member.anomalies(table) for member in self.members])

    def unusual_cells(self, table: Table, names: Iterable[str]) -> dict[str, Mask]:
        """Whether each cell (rows,) of the columns `names`, which all members have, is an anomaly to all of them."""
        names = [*names]
        members = [member.unusual_cells(table, names) for member in self.members]
        return {name: reduce(and_, (masks[name] for masks in members)) for name in names}

    def invalid_cells(self, table: Table) -> InvalidCells:
        """The cells of a table that a member refuses."""
        return InvalidCells.of(table, (errors for member in self.members for errors in member.cell_errors(table)))

    def average(self, predictions: Sequence[Predictions]) -> Predictions:
        """The mean of the members' predictions for the same rows."""
        return self.averages(predictions, [range(len(predictions))])[0]

    def averages(self, predictions: Sequence[Predictions], groups: Iterable[Sequence[int]]) -> list[Predictions]:
        """The mean of each group of members, from the predictions of all members for the same rows."""
        context = predictions[0].context if self.spec.target.is_relative else None
        points = [self.weighted(i, self.member_points(member)) for i, member in enumerate(predictions)]
        anomalies, means = reduce(and_, (member.anomalies for member in predictions)), []
        for members in groups:
            total = np.zeros(points[0].shape)
            for i in members:
                total += points[i]
            mean = replace(self.mean(total, self.total_weight(members)), anomalies=anomalies)
            means.append(mean if context is None else mean.in_context(context))
        return means

    @property
    def weights(self) -> tuple[float, ...]:
        """The weight of each member in the mean."""
        return self.spec.weights or (1.0,) * len(self.members)

    def weighted(self, i: int, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Values of member `i`, from 0, times its weight."""
        return values if self.spec.weights is None else values * self.spec.weights[i]

    def total_weight(self, members: Iterable[int]) -> float:
        """The sum of the weights of some members."""
        return reduce(add, (self.weights[i] for i in members))

    def total_weights(self, mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
        """The sum of the weights (rows, 1) of the members that a mask (members, rows) selects for each row."""
        total = np.zeros((mask.shape[1], 1))
        for weight, is_held_out in zip(self.weights, mask, strict=True):
            total[is_held_out] += weight
        return total

    def of_members(self, chosen: Sequence[int]) -> Ensemble:
        """The ensemble of some members alone, numbered from 0."""
        weights = None if self.spec.weights is None else tuple(self.spec.weights[i] for i in chosen)
        spec = self.spec.model_copy(update={"members": len(chosen), "weights": weights})
        return Ensemble(spec, tuple(self.members[i] for i in chosen))

    def of_member(self, predictions: Predictions) -> Predictions:
        """The predictions of a member at the temperature, with all classes."""
        return predictions.with_temperature(self.spec.temperature).aligned(self.spec.target)

    def member_points(self, predictions: Predictions) -> npt.NDArray[np.float64]:
        """What a member adds to the mean: its points, relative ones if there are."""
        return predictions.relative_points if self.spec.target.is_relative else self.of_member(predictions).points

    def mean(
        self,
        total: npt.NDArray[np.float64],
        weights: npt.NDArray[np.float64] | npt.NDArray[np.int64] | float,
    ) -> Predictions:
        """The mean from a weighted sum of points and the sum of the weights, (rows, 1) or the same for all rows.

        Of quantiles it is that of each level: Vincent, "The functions of the vibrissae in the behavior of the white
        rat", 1912.
        """
        target, loss, precision = self.spec.target, self.spec.loss, self.members[0].spec.network.precision
        if isinstance(weights, np.ndarray):
            weights = weights.reshape(-1, *(1,) * (total.ndim - 1))
        points = (total / weights).astype(target.precision_of(precision)).astype(np.float64)  # see model.decode
        return Predictions(
            target, points, precision, decision=self.spec.decision, levels=loss.quantile_levels, loss=loss
        )


AnyModel: TypeAlias = Model | Ensemble
"""The model of a run directory; both have `spec` (target, loss, missing_values, dialect), `numeric` and `predict`."""


def predict_members(model: AnyModel, table: Table) -> list[Predictions]:
    """The predictions of each member, before temperature scaling by an ensemble; a single model is its only member.

    Where all members have anomalies, they are those that all of them share.

    Raises:
        DataError: see `Model.predict`.
    """
    if not isinstance(model, Ensemble):
        return [model.predict(table)]
    table = table.with_cache()
    if len(table) > MAX_ROWS:
        by_number: dict[int, Predictions] = {}
        for first in dict.fromkeys(model.encoded_as):
            encoded = model.members[first].encode(table)
            same = [i for i, other in enumerate(model.encoded_as) if other == first]
            by_number |= {i: model.members[i].predict_encoded(encoded) for i in same}
        members = [by_number[i] for i in range(len(model.members))]
    else:
        members = model.predict_small_batch(table)
    if not all(member.anomalies.columns for member in members):
        return members
    anomalies = shared_anomalies(model, table, [member.anomalies for member in members])
    return [replace(member, anomalies=anomalies) for member in members]


def shared_anomalies(model: AnyModel, table: Table, of_members: Sequence[Anomalies]) -> Anomalies:
    """The anomalies of a table that are anomalies to all members, from those to each member."""
    shared = reduce(and_, of_members)
    counts = {name: column.total - column.missing for name, column in shared.columns.items()}
    names = [name for name, count in counts.items() if count]
    if not isinstance(model, Ensemble) or len(table) == 1 or not names:
        return shared
    # Members that were trained on different rows may have as many anomalies in a column, but in other cells.
    counts |= {
        name: int(mask.sum()) - shared.columns[name].missing for name, mask in model.unusual_cells(table, names).items()
    }
    return Anomalies.from_columns((name, column.at_most(counts[name])) for name, column in shared.columns.items())


def average_members(model: AnyModel, members: Sequence[Predictions]) -> Predictions:
    """The prediction of the model from those of its members: the same bits as of `predict`."""
    return model.average(members) if isinstance(model, Ensemble) else members[0]
