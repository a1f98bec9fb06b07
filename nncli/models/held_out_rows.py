"""The rows that a network did not train on, with their predictions, kept in held_out.safetensors.

Scores, calibration, thresholds, intervals and reports come from these rows, without the table and without predicting
again. The scored predictions cannot be computed from the model: each row is predicted at the epoch that other rows
chose.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import safetensors
import safetensors.numpy

from nncli.data.columns.parsing import read_text
from nncli.data.encoders.row_context import RowContext
from nncli.data.sample_weights import Weights
from nncli.data.table import Table
from nncli.models.predictions import Predictions
from nncli.models.scores import ScoredRows
from nncli.nn.arrays import Precision, RowIndices
from nncli.nn.losses import Loss
from nncli.targets.decision import Decision
from nncli.targets.target import Target
from nncli.targets.target_base import Truth

MAX_ROWS = 1_000_000
"""Of more rows a random sample is kept."""
MAX_VALUES = 20_000_000
"""Predicted values that are kept at most, of all members together."""
MAX_CATEGORY_CELLS = 20_000_000
"""Cells of categorical columns that are kept at most."""
LARGEST_FILE = 16 * MAX_VALUES + 64 * MAX_ROWS + MAX_CATEGORY_CELLS + (1 << 24)
"""Bytes of the file that are read at most."""

MEMBER_ROWS, MEMBER_PREDICTIONS = "member_rows.", "member_predictions."
QUANTILES, BASELINE_QUANTILES, MEMBER_QUANTILES = "quantiles", "baseline_quantiles", "member_quantiles."
SIGNS, CATEGORIES, CATEGORY_CODES = "signs", "categories", "category_codes"
EXPOSURE, OFFSET = "exposure", "offset"
MIN_CATEGORY_ROWS, MAX_CATEGORIES = 30, 255
"""Rows of a category from which on it is kept, and categories of a column that are kept at most."""


@dataclass(frozen=True)
class MemberPredictions:
    """The predictions (n, outputs) of one member for the rows at some positions (n,), which it did not train on.

    They are those of its final weights, before temperature scaling.
    """

    rows: RowIndices
    predictions: Predictions


@dataclass(frozen=True)
class RowCategories:
    """The categories of a column that many rows have; `codes` (n,) are those of the rows, from 1, and 0 for others."""

    column: str
    values: tuple[str, ...]
    codes: npt.NDArray[np.uint8]

    @classmethod
    def of(cls, table: Table) -> tuple[RowCategories, ...]:
        """Those of each column of a table that has any, as far as there is room."""
        parts = []
        for column in table.names[: MAX_CATEGORY_CELLS // max(1, len(table))]:
            cells = read_text(table, column)
            counts = cells.drop_nulls().alias("value").value_counts(sort=True, name="rows")[:MAX_CATEGORIES]
            values = sorted(value for value, rows in counts.iter_rows() if rows >= MIN_CATEGORY_ROWS)
            if values:
                codes = cells.replace_strict(values, range(1, len(values) + 1), default=0, return_dtype=pl.UInt8)
                parts.append(cls(column, tuple(values), codes.fill_null(0).to_numpy()))
        return tuple(parts)

    def take(self, rows: RowIndices) -> RowCategories:
        """Those of the rows at these positions."""
        return replace(self, codes=self.codes[rows])


def _relative(predictions: Predictions, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The values of predictions relative to their context, if they have one."""
    return values if predictions.context is None else predictions.context.relative(values)


@dataclass(frozen=True)
class HeldOutRows:
    """Rows with targets and predictions; a single network counts as the only member of an ensemble.

    `row_numbers` (n,) are those in the table, from 1, or in the validation file if there is one. `y` holds class
    codes (n,) or numbers (n, targets), `weights` (n,) sample weights, and `groups` (n,) the number of each row's group.
    `predictions` are those that are scored. `baseline` (outputs,) is the prediction of the baseline for any row,
    or what is relative to its context, and `baseline_quantiles` (targets, levels) its quantiles of a loss of several.
    The rows are a random sample of `total` rows where there are too many.
    `signs` (targets,) are those of all training and held-out rows, see `TargetBase.signs`, and `categories` those of
    the rows; both are empty in runs of older versions, for classes, and for members.
    """

    row_numbers: RowIndices
    y: Truth
    weights: Weights | None
    groups: npt.NDArray[np.int64] | None
    predictions: Predictions
    members: tuple[MemberPredictions, ...]
    baseline: npt.NDArray[np.float64]
    total: int
    baseline_quantiles: npt.NDArray[np.float64] | None = None
    signs: tuple[int, ...] = ()
    categories: tuple[RowCategories, ...] = ()

    @classmethod
    def of(
        cls,
        scored: ScoredRows,
        numbers: RowIndices | None,
        members: Iterable[MemberPredictions],
        training_y: Truth | None = None,
        categories: Sequence[RowCategories] = (),
    ) -> HeldOutRows:
        """The rows that are scored, with their row numbers, None for 1, 2 and so on; `training_y` gives the signs."""
        baseline, n = scored.baseline, len(scored.y)
        is_offset = baseline.context is not None and baseline.context.offset is not None
        target = scored.predictions.target
        return cls(
            row_numbers=np.arange(1, n + 1) if numbers is None else numbers,
            y=scored.y,
            weights=scored.weights,
            groups=scored.groups,
            predictions=scored.predictions,
            members=tuple(members),
            baseline=np.array(_relative(baseline, baseline.values)[0]),
            baseline_quantiles=(
                None if baseline.quantiles is None else np.array(_relative(baseline, baseline.quantiles)[0])
            ),
            total=n,
            signs=() if training_y is None or is_offset else target.signs([scored.y, training_y]),
            categories=tuple(categories),
        )

    def __len__(self) -> int:
        return len(self.row_numbers)

    @property
    def is_sample(self) -> bool:
        """Whether rows are missing, because there were too many."""
        return self.total > len(self)

    @property
    def oof_mask(self) -> npt.NDArray[np.bool_]:
        """A mask (members, n): whether the row is a validation row of the member."""
        mask = np.zeros((len(self.members), len(self)), np.bool_)
        for row_mask, member in zip(mask, self.members, strict=True):
            row_mask[member.rows] = True
        return mask

    @property
    def baseline_predictions(self) -> Predictions:
        """The prediction of the baseline for each row."""
        values = np.broadcast_to(self.baseline, (len(self), len(self.baseline)))
        context, quantiles = self.predictions.context, self.baseline_quantiles
        values = values if context is None else context.absolute(values)
        if quantiles is None:
            return replace(self.predictions, points=values, relative=None)
        quantiles = np.broadcast_to(quantiles, self.predictions.points.shape)
        quantiles = quantiles if context is None else context.absolute(quantiles)
        return replace(self.predictions, points=quantiles, means=values, relative=None)

    def scored(self, loss: Loss, decision: Decision | None = None) -> ScoredRows:
        """The rows with their predictions, for scoring a model of a `loss` whose classes follow a `decision`."""
        rows = ScoredRows(self.predictions, self.baseline_predictions, self.y, self.weights, loss, self.groups)
        return rows.decided(decision)

    def take(self, rows: RowIndices) -> HeldOutRows:
        """The rows at these positions, which are in ascending order and distinct."""
        return replace(
            self,
            row_numbers=self.row_numbers[rows],
            y=self.y[rows],
            weights=None if self.weights is None else self.weights[rows],
            groups=None if self.groups is None else self.groups[rows],
            predictions=self.predictions.take(rows),
            members=tuple(_restrict(member, rows, len(self)) for member in self.members),
            categories=tuple(column.take(rows) for column in self.categories),
        )

    def of_member(self, i: int) -> HeldOutRows:
        """The rows that member `i`, from 0, did not train on, with its predictions alone."""
        rows, predictions = self.members[i].rows, self.members[i].predictions
        alone = MemberPredictions(np.arange(len(rows)), predictions)
        return replace(replace(self, members=()).take(rows), predictions=predictions, members=(alone,), total=len(rows))

    def one_member_a_row(self, temperature: float, seed: int) -> tuple[Predictions, tuple[int, ...]]:
        """For each row the prediction of one member that did not train on it, drawn at random, at the temperature.

        They come with the number of rows of each member. New rows that each member predicts have the same distribution
        if the members have these weights; the means of several members have less spread.
        """
        random, n = np.random.default_rng([seed, 5]), len(self)
        largest, member = np.full(n, -1.0, np.float32), np.zeros(n, np.int64)
        for i, held_out in enumerate(self.members):
            draws = random.random(len(held_out.rows), np.float32)
            is_larger = draws > largest[held_out.rows]
            chosen = held_out.rows[is_larger]
            largest[chosen], member[chosen] = draws[is_larger], i
        points = np.empty_like(self.predictions.points)
        for i, held_out in enumerate(self.members):
            is_member = member[held_out.rows] == i
            points[held_out.rows[is_member]] = held_out.predictions.take(is_member).with_temperature(temperature).points
        counts = np.bincount(member, minlength=len(self.members))
        return replace(self.predictions, points=points, relative=None), tuple(counts.tolist())

    def with_target(self, target: Target) -> HeldOutRows:
        """The rows for a target that lacks some classes, none of which these rows have."""
        current = self.predictions.target
        kept = target.positions_in(current)
        if kept is None:
            return self
        code = np.full(len(current.labels), -1)
        code[kept] = np.arange(len(kept))

        def convert(predictions: Predictions) -> Predictions:
            return replace(predictions, target=target, points=predictions.points[:, kept])

        members = tuple(MemberPredictions(member.rows, convert(member.predictions)) for member in self.members)
        predictions, baseline = convert(self.predictions), self.baseline[kept]
        return replace(self, y=code[self.y], predictions=predictions, members=members, baseline=baseline)

    def bounded(self, seed: int) -> HeldOutRows:
        """All rows, or a random sample of as many as a run keeps."""
        values_per_row = (self.predictions.target.n_outputs * (1 + len(self.predictions.levels))) * (
            1.0 + sum(len(member.rows) for member in self.members) / max(1, len(self))
        )
        limit = min(MAX_ROWS, int(MAX_VALUES / values_per_row))
        if len(self) <= limit:
            return self
        return self.take(np.sort(np.random.default_rng(seed).choice(len(self), limit, replace=False)))

    def to_bytes(self) -> bytes:
        """The content of held_out.safetensors."""
        predictions = self.predictions
        precision = predictions.target.precision_of(predictions.precision)
        arrays: dict[str, npt.NDArray[Any]] = {
            "numbers": self.row_numbers,
            "y": self.y,
            "predictions": predictions.values.astype(precision),  # class probabilities are rounded to the precision
            "baseline": self.baseline,
            "total": np.array([self.total], np.int64),
        }
        arrays |= {} if self.weights is None else {"weights": self.weights}
        arrays |= {} if self.groups is None else {"groups": self.groups}
        if (context := predictions.context) is not None:
            of_context = {EXPOSURE: context.exposure, OFFSET: context.offset}
            arrays |= {name: values for name, values in of_context.items() if values is not None}
        arrays |= {SIGNS: np.array(self.signs, np.int8)} if self.signs else {}
        if self.categories:
            names = json.dumps([[column.column, column.values] for column in self.categories], ensure_ascii=False)
            arrays[CATEGORIES] = np.frombuffer(names.encode(), np.uint8)
            arrays[CATEGORY_CODES] = np.stack([column.codes for column in self.categories])
        if predictions.quantiles is not None and self.baseline_quantiles is not None:
            arrays |= {QUANTILES: predictions.quantiles, BASELINE_QUANTILES: self.baseline_quantiles}
        for i, member in enumerate(self.members):
            if member.predictions.quantiles is not None:
                arrays[f"{MEMBER_QUANTILES}{i + 1}"] = member.predictions.quantiles
            arrays[f"{MEMBER_ROWS}{i + 1}"] = member.rows
            arrays[f"{MEMBER_PREDICTIONS}{i + 1}"] = member.predictions.values.astype(precision)
        return safetensors.numpy.save({name: np.ascontiguousarray(values) for name, values in arrays.items()})

    @classmethod
    def from_bytes(cls, content: bytes, target: Target, members: int, levels: tuple[float, ...] = ()) -> HeldOutRows:
        """Read the content of held_out.safetensors of a model with this target, number of members and quantile levels.

        Raises:
            ValueError: it does not hold the held-out rows of such a model.
        """
        try:
            arrays = safetensors.numpy.load(content)
        except (safetensors.SafetensorError, TypeError, KeyError) as error:
            raise ValueError("not a file of held-out rows") from error
        reader = _Reader(arrays, target, levels)
        numbers, total = reader.array("numbers", np.int64, (None,)), reader.array("total", np.int64, (1,))
        n, outputs = len(numbers), target.n_outputs
        if "y" not in arrays:
            raise ValueError("no y")
        target.check_truth(arrays["y"], n)
        exposure, offset = (
            reader.array(name, np.float64, (n,)) if name in arrays else None for name in (EXPOSURE, OFFSET)
        )
        context = None if exposure is None and offset is None else RowContext(exposure, offset)
        rows = cls(
            row_numbers=numbers,
            y=arrays["y"],
            weights=reader.array("weights", np.float64, (n,)) if "weights" in arrays else None,
            groups=reader.array("groups", np.int64, (n,)) if "groups" in arrays else None,
            predictions=replace(reader.predictions("predictions", QUANTILES, n), context=context),
            members=tuple(reader.member(i + 1, n) for i in range(members)),
            baseline=reader.array("baseline", np.float64, (outputs,)),
            total=int(total[0]),
            baseline_quantiles=(
                reader.array(BASELINE_QUANTILES, np.float64, (outputs, len(levels))) if levels else None
            ),
            signs=tuple(reader.array(SIGNS, np.int8, (outputs,)).tolist()) if SIGNS in arrays else (),
            categories=reader.categories(n) if CATEGORIES in arrays else (),
        )
        if rows.total < n or (n and numbers.min() < 1):
            raise ValueError("the numbers of rows do not fit each other")
        return rows


@dataclass(frozen=True)
class _Reader:
    """Reads arrays of a file, and verifies their types and shapes."""

    arrays: Mapping[str, npt.NDArray[Any]]
    target: Target
    levels: tuple[float, ...]

    def array(self, name: str, dtype: type[np.generic] | Precision, shape: tuple[int | None, ...]) -> npt.NDArray[Any]:
        """The array `name`; None in the `shape` stands for any length. Raise a ValueError unless it fits."""
        if name not in self.arrays:
            raise ValueError(f"no {name}")
        array = self.arrays[name]
        fits = len(array.shape) == len(shape) and all(
            wanted in (None, length) for wanted, length in zip(shape, array.shape, strict=True)
        )
        if not fits or array.dtype != dtype:
            raise ValueError(f"{name} has another type or shape")
        return array

    def predictions(self, name: str, quantiles: str, n: int) -> Predictions:
        is_float32 = name in self.arrays and self.arrays[name].dtype == np.float32
        precision, outputs = self.target.precision_of("float32" if is_float32 else "float64"), self.target.n_outputs
        values = self.array(name, precision, (n, outputs))
        if self.levels:
            of_levels = self.array(quantiles, np.float64, (n, outputs, len(self.levels)))
            predictions = Predictions(self.target, of_levels, precision, levels=self.levels)
            if not np.array_equal(predictions.values, values, equal_nan=True):
                raise ValueError(f"{name} are not the medians of {quantiles}")
            return predictions
        return Predictions(self.target, values.astype(np.float64), precision)

    def categories(self, n: int) -> tuple[RowCategories, ...]:
        names = json.loads(self.array(CATEGORIES, np.uint8, (None,)).tobytes())
        codes = self.array(CATEGORY_CODES, np.uint8, (len(names), n))
        columns = tuple(
            RowCategories(str(column), tuple(map(str, values)), of_column)
            for (column, values), of_column in zip(names, codes, strict=True)
        )
        if any(len(column.codes) and column.codes.max() > len(column.values) for column in columns):
            raise ValueError(f"{CATEGORY_CODES}: no such category")
        return columns

    def member(self, number: int, n: int) -> MemberPredictions:
        rows = self.array(f"{MEMBER_ROWS}{number}", np.int64, (None,))
        if len(rows) and (rows[0] < 0 or rows[-1] >= n or (np.diff(rows) <= 0).any()):
            raise ValueError(f"{MEMBER_ROWS}{number}: no such rows")
        names = f"{MEMBER_PREDICTIONS}{number}", f"{MEMBER_QUANTILES}{number}"
        return MemberPredictions(rows, self.predictions(*names, len(rows)))


def _restrict(member: MemberPredictions, rows: RowIndices, total: int) -> MemberPredictions:
    """The predictions of a member for those of its rows that are among `rows`, renumbered by their positions there."""
    position = np.full(total, -1)
    position[rows] = np.arange(len(rows))
    new = position[member.rows]
    kept = np.flatnonzero(new >= 0)
    return MemberPredictions(new[kept], member.predictions.take(kept))
