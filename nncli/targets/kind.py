"""What a kind of target is before it is fitted: its columns, the keys of a configuration that it takes, its defaults.

All of it is of the class, by the names of the target columns and their table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import numpy as np
import numpy.typing as npt
import polars as pl

from nncli.base.errors import Advice, DataError, SetKey
from nncli.base.spec import Calibration, Spec
from nncli.base.text import quote
from nncli.data.encoders.column_types import ColumnType
from nncli.data.sample_weights import Weights
from nncli.data.table import Table
from nncli.nn.arrays import Floats
from nncli.nn.losses import LossBase

if TYPE_CHECKING:
    from nncli.targets.target_base import TargetBase

L = TypeVar("L", bound=LossBase)
T = TypeVar("T")

SettingRule = tuple[str, object, str]
Refusal = tuple[str, str]
"""Why a key of the configuration is not taken, and a hint."""


class KindBase(Spec):
    """A kind of target before the fit. By itself it is that of one column for each target."""

    noun: ClassVar[str] = "number"
    """What is predicted for a row, in messages."""
    no_target_weights: ClassVar[str] = "there is one target"
    """Why its columns have no weights of their own in the loss."""
    calibrations: ClassVar[tuple[Calibration, ...]] = ("auto", "none")
    """The values of the key calibration that it takes; of several targets those that one of them takes."""
    epoch_metrics: ClassVar[tuple[str, ...]] = ()
    """The metrics, besides those of its predictions, that choose the best epoch unless classes have weights."""
    cell_kind: ClassVar[ColumnType | None] = None
    """The kind of column that each of its columns is checked as by itself."""
    default_loss: ClassVar[str] = "mse"
    """The loss of an estimator without one."""
    estimator_hint: ClassVar[str] = ""
    """What estimator suits it, where another one is used."""
    draft_settings: ClassVar[tuple[SettingRule, ...]] = ()
    """The keys with values, and what they mean, that a drafted configuration has to set."""
    draft_options: ClassVar[tuple[SettingRule, ...]] = ()
    """The keys with values, and what they mean, that a drafted configuration shows as comments."""
    peak_learning_rate: ClassVar[float] = 0.12
    """The peak of a schedule: 0.12 was better for numbers than 0.2 of RealMLP (benchmarks/ablations.md)."""

    # Columns

    @classmethod
    def split_names(cls, names: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
        """The columns of each target that some columns are."""
        return tuple((name,) for name in names)

    @classmethod
    def written_names(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        """Those of the columns that a configuration names as the target."""
        return names

    @classmethod
    def text_columns(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        """Those of the columns whose cells are read as text."""
        return ()

    @classmethod
    def number_columns(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        """Those of the columns that are predicted as numbers."""
        return ()

    @classmethod
    def compared_columns(cls, columns: Sequence[T]) -> Sequence[T]:
        """Those of the categorical features between whose categories the coverage of intervals is compared."""
        return ()

    @classmethod
    def class_columns(cls, names: tuple[str, ...], *, ordered: bool = True) -> tuple[str, ...]:
        """Those of the columns that are predicted as classes, also as `ordered` ones."""
        return ()

    @classmethod
    def strata_columns(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        """Those of the columns whose cells have the same shares in all parts of a split."""
        return ()

    @classmethod
    def varying_columns(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        """Those of the columns of which nothing is learned if all cells are the same."""
        return names

    @classmethod
    def label_columns(cls, columns: Sequence[T]) -> Sequence[T]:
        """Those of the columns of `joined_cells` of which each is a label that a row has or not."""
        return ()

    @classmethod
    def joined_cells(
        cls, read: Callable[[], Sequence[Table]], names: tuple[str, ...]
    ) -> Mapping[str, tuple[ColumnType, Sequence[pl.Series]]]:
        """By name the targets y of tables, of columns that are one target: their kind, and the cells of each table.

        Yes or no stands for 1 or 0. There are none for columns that are a target each.
        """
        return {}

    @classmethod
    def classes_among(cls, values: Sequence[T]) -> Sequence[T]:
        """Those of the values of a column that are classes: all or none."""
        return ()

    @classmethod
    def check_columns(cls, table: Table, names: tuple[str, ...], kinds: Mapping[str, ColumnType], loss: str) -> None:
        """Raise a DataError if a column, perhaps of a configured kind, is not one that the `loss` is for."""

    @classmethod
    def joint_loss(cls, losses: Sequence[L]) -> L | None:
        """The loss of several columns, of which no cell is missing, as one target; None if each is a target."""
        return None

    @classmethod
    def fit_parts(cls, loss: LossBase, fit: Callable[[str, LossBase], TargetBase]) -> TargetBase | None:
        """Several targets, each of which `fit` fits by its name and its loss; None for one target."""
        return None

    @classmethod
    def count_outputs(cls, table: Table, names: tuple[str, ...]) -> int:
        """The number of values that are predicted for a row, but for several numbers, before the fit."""
        return 1

    @classmethod
    def rows_to_fit(cls, training: Table, every: Table, *, of_several: bool = False) -> Table:
        """The rows that a target is fitted on, alone or as one `of_several`: the training rows, or every row."""
        return training

    @classmethod
    def example(cls, signal: Floats, rng: np.random.Generator) -> tuple[npt.NDArray[Any], ...]:
        """Columns of a target that depends on a signal (rows,), for checks of parts; there may be none."""
        return ()

    @classmethod
    def example_predictions(cls, rng: np.random.Generator, rows: int) -> tuple[npt.NDArray[Any], Floats] | None:
        """Targets y and predictions of so many rows, for checks of metrics; None if there are none."""
        return None

    # Estimators of scikit-learn

    @classmethod
    def estimator_loss(cls, loss: object, data: Mapping[str, object]) -> object:
        """The loss of an estimator: the configured one, or the usual one with the section `data`.

        Raises:
            ValueError: a column that it names is not in the y of an estimator.
        """
        return loss or cls.default_loss

    # Keys of the configuration

    @classmethod
    def expected_calibration(cls, configured: Calibration) -> Calibration:
        """Temperature or none, before the fit, by the configured calibration of a training with validation rows."""
        if configured != "auto":
            return configured
        return "temperature" if "temperature" in cls.calibrations else "none"

    @classmethod
    def refusal(cls, key: str, loss: str, names: tuple[str, ...]) -> Refusal | None:
        """Why one target of this kind does not take a key of the configuration, and a hint; None if it does."""
        match key:
            case "target_weights":
                return cls.no_target_weights, "Remove it."
            case "class_weight" | "positive_class":
                hint = Advice("Remove the key, or use ", SetKey("loss", "cross_entropy"), ".")
                return f"the target is a {cls.noun}, not a class", hint
        return None


def check_weighted(table: Table, name: str, weights: Weights | None) -> None:
    """Raise a DataError if each training row that has the target `name` has the weight 0."""
    if weights is not None and not weights.any():
        message = f"no training row with a weight above 0 has the target {quote(name)}"
        raise DataError(message, location=table.location(column=name), hint="Do not name it, or add rows.")
