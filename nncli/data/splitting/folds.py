"""Split rows into cross-validation folds, or by a bootstrap sample."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
import polars as pl
from pydantic import BeforeValidator, Field, model_validator

from nncli.base.errors import Advice, DataError, SetKey, sentences
from nncli.base.spec import NonNegativeInt, PositiveInt, Spec
from nncli.data.splitting.holdout import SINGLE_ROWS_HINT, Split, indices_by_class, stratified_split
from nncli.data.splitting.strata import Strata, assign_groups, assign_rows, relabel_by_appearance, time_blocks
from nncli.nn.arrays import Codes, RowIndices

MIN_MEMBERS_OF_A_SHARED_FOLD = 6
"""With fewer members a fold fewer would cost too many training rows."""


def number_of_folds(members: int) -> int:
    """The number of folds of an ensemble: from six members on one fewer, so that two members hold out the first fold.

    Their predictions of it show how much the members differ on new rows: nncli/targets/metrics/temperature_scaling.py.
    """
    return members - 1 if members >= MIN_MEMBERS_OF_A_SHARED_FOLD else members


class Fold(Spec):
    """Validation rows are one of several folds of equal size; the other folds are the training rows.

    The same seed gives the same folds. With `data.time`, the folds are consecutive blocks of time, and the training
    rows of a fold are all earlier rows; a block before the first fold is used for training only.
    """

    folds: Annotated[int, Field(strict=True, ge=2, description="Number of folds.")]
    fold: NonNegativeInt = Field(description="The fold that is used for validation, from 0.")
    seed: NonNegativeInt = Field(
        0, description="Random seed of the assignment to folds; independent of the top-level `seed`."
    )

    @model_validator(mode="after")
    def _check_fold(self) -> Fold:
        if self.fold >= self.folds:
            raise ValueError(f"fold must be at most {self.folds - 1} for {self.folds} folds, counted from 0")
        return self

    def split(self, strata: Strata) -> Split:
        """Split into this fold for validation and the other folds (with times: the earlier ones) for training.

        Raises:
            DataError: as `assign_folds`.
        """
        folds = assign_folds(strata, self.folds, self.seed)
        in_training = folds != self.fold if strata.times is None else folds < self.fold
        return Split(np.flatnonzero(in_training), np.flatnonzero(folds == self.fold))


class Bootstrap(Spec):
    """Training rows are n rows drawn with replacement; the rows that are not drawn, about 37%, are for validation.

    Rows are drawn within each class, or as whole groups.

    Source: Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 17.
    """

    bootstrap: NonNegativeInt = Field(description="Random seed of the bootstrap sample.")

    def split(self, strata: Strata) -> Split:
        """Split into the drawn rows for training, with repetitions, and the others for validation.

        Raises:
            DataError: every row was drawn.
        """
        assert strata.times is None, "a configuration has no bootstrap in time"
        rng = np.random.default_rng(self.bootstrap)
        if strata.groups is not None:
            training = _draw_groups(strata, strata.groups, rng)
        else:
            row_sets = (
                [np.arange(strata.n)]
                if strata.classes is None
                else indices_by_class(relabel_by_appearance(strata.classes))
            )
            training = np.sort(np.concatenate([rng.choice(rows, len(rows)) for rows in row_sets]))
        validation = np.setdiff1d(np.arange(strata.n), training)
        if not len(validation):
            raise DataError(
                f"the bootstrap drew all of {strata.description}, so there are no validation rows",
                location=strata.location,
                hint="Add rows, or set another seed as validation.bootstrap.",
            )
        return Split(training, validation)


def _draw_groups(strata: Strata, of_rows: Codes, rng: np.random.Generator) -> Codes:
    """The rows of groups drawn with replacement, in order; a class without a drawn group gets one of its groups."""
    groups = relabel_by_appearance(of_rows)
    n = int(groups.max()) + 1
    times = np.bincount(rng.integers(n, size=n), minlength=n)
    if strata.classes is not None:
        for rows in indices_by_class(relabel_by_appearance(strata.classes)):
            if not times[groups[rows]].any():
                times[rng.choice(groups[rows])] = 1
    return np.repeat(np.arange(strata.n), times[groups])


FEWER_FOLDS = Advice(
    "Add rows, or use fewer folds: an ensemble has one per network, or one fewer. For example ",
    SetKey("members", "3"),
    ".",
)


def assign_folds(strata: Strata, folds: int, seed: int) -> Codes:
    """The fold of every row (n,), from 0; -1 for a row that is always a training row.

    Always training rows are the only row, or group, of a class, and with times the first of folds + 1 blocks. The
    folds depend on the rows, their order and the seed, not on the codes of their classes and groups.

    Raises:
        DataError: there are too few rows, groups or times for the number of folds.
    """
    rng = np.random.default_rng(seed)
    assigned: Codes | None
    if strata.times is not None:
        blocks = time_blocks(strata, strata.n * np.arange(1, folds + 1) / (folds + 1))
        assigned = None if blocks is None else blocks - 1
    elif strata.groups is not None:
        assigned = assign_groups(strata, np.full(folds, 1.0 / folds), rng)
    else:
        assigned = assign_rows(strata, folds, rng)
    if assigned is None or len(np.unique(assigned[assigned >= 0])) < folds:
        extra, reason = "", "The only row of a class is always a training row." if strata.classes is not None else ""
        if strata.groups is not None:
            reason = "Groups stay together, and the only group of a class is always used for training."
        if strata.times is not None:
            extra, reason = " and a first training block", "Rows of the same time stay together."
        raise DataError(
            f"found {strata.description}, too few for {folds} folds{extra}",
            location=strata.location,
            hint=SINGLE_ROWS_HINT if strata.has_only_unique_classes else sentences(FEWER_FOLDS, reason),
        )
    return assigned


MAX_CLASSES = 1_000
"""Distinct targets above which the rows are not stratified: the target is a quantity then."""


class Sample(Spec):
    """A random sample of the rows of a table, stratified by a target of few distinct values.

    The same seed gives the same rows.
    """

    rows: PositiveInt = Field(description="Number of rows; a table of fewer rows is used whole.")
    seed: NonNegativeInt = Field(0, description="Random seed of the sample; independent of the top-level `seed`.")

    def draw(self, target: pl.Series) -> RowIndices:
        """The positions (rows,) of the sample in ascending order, from the target (n,) of each row."""
        n = len(target)
        if n <= self.rows:
            return np.arange(n)
        is_class = target.n_unique() <= min(MAX_CLASSES, self.rows)
        classes = target.rank("dense").fill_null(0).to_numpy().astype(np.int64) if is_class else None
        rng = np.random.default_rng(self.seed)
        return stratified_split(n, 1.0 - self.rows / n, rng, classes).training


def _expand(value: Any) -> Any:
    """A bare number is the number of rows."""
    return {"rows": value} if isinstance(value, int) and not isinstance(value, bool) else value


RowSample = Annotated[Sample, BeforeValidator(_expand, json_schema_input_type=PositiveInt | Sample)]
"""A sample, or its number of rows."""
