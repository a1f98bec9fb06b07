"""Which rows are held out when a table is dealt into folds, or drawn from with replacement."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field, model_validator

from nncli.data.arrays import Codes
from nncli.data.splitting.assignment import assign_groups, assign_rows, time_blocks
from nncli.data.splitting.holdout import SINGLE_ROWS_HINT, Split, indices_by_class
from nncli.data.splitting.strata import Strata, relabel_by_appearance
from nncli.errors import DataError
from nncli.spec import NonNegativeInt, Spec


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
    def _is_one_of_them(self) -> Fold:
        if self.fold >= self.folds:
            raise ValueError(f"fold counts from 0: of {self.folds} folds the last is {self.folds - 1}")
        return self

    def split(self, traits: Strata) -> Split:
        """This fold for validation, and the others, or where there are times the earlier ones, for training.

        Raises:
            DataError: as `assign_folds`.
        """
        folds = assign_folds(traits, self.folds, self.seed)
        trained = folds != self.fold if traits.times is None else folds < self.fold
        return Split(np.flatnonzero(trained), np.flatnonzero(folds == self.fold))


class Bootstrap(Spec):
    """Training rows are drawn with replacement, as many as there are; rows that are not drawn, about 37%, validate.

    Rows are drawn within each class, or as whole groups.

    Source: Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 17.
    """

    bootstrap: NonNegativeInt = Field(description="Random seed of the drawing.")

    def split(self, traits: Strata) -> Split:
        """A row drawn twice stands twice among the training rows.

        Raises:
            DataError: nothing is left to hold out.
        """
        assert traits.times is None, "a configuration has no bootstrap in time"
        rng = np.random.default_rng(self.bootstrap)
        if traits.groups is not None:
            training = _draw_groups(traits, traits.groups, rng)
        else:
            strata = (
                [np.arange(traits.n)]
                if traits.classes is None
                else indices_by_class(relabel_by_appearance(traits.classes))
            )
            training = np.sort(np.concatenate([rng.choice(rows, len(rows)) for rows in strata]))
        validation = np.setdiff1d(np.arange(traits.n), training)
        if not len(validation):
            raise DataError(
                f"every row was drawn: of {traits.description} nothing is left for validation",
                place=traits.location,
                hint="Add rows, or name another seed as validation.bootstrap.",
            )
        return Split(training, validation)


def _draw_groups(traits: Strata, of_rows: Codes, rng: np.random.Generator) -> Codes:
    """The rows of groups drawn with replacement, in order; for a class that came to nothing, one of its groups too."""
    groups = relabel_by_appearance(of_rows)
    n = int(groups.max()) + 1
    times = np.bincount(rng.integers(n, size=n), minlength=n)
    if traits.classes is not None:
        for rows in indices_by_class(relabel_by_appearance(traits.classes)):
            if not times[groups[rows]].any():
                times[rng.choice(groups[rows])] = 1
    return np.repeat(np.arange(traits.n), times[groups])


def assign_folds(traits: Strata, folds: int, seed: int) -> Codes:
    """The fold of every row (n,), from 0; -1 for a row that is never held out.

    Never held out are the only row, or group, of a class, and in time the first of folds + 1 blocks. The same rows in
    the same order and the same seed give the same folds, whatever the codes of their classes and groups.

    Raises:
        DataError: there are too few rows, groups or times for so many folds.
    """
    rng = np.random.default_rng(seed)
    assigned: Codes | None
    if traits.times is not None:
        blocks = time_blocks(traits, traits.n * np.arange(1, folds + 1) / (folds + 1))
        assigned = None if blocks is None else blocks - 1
    elif traits.groups is not None:
        assigned = assign_groups(traits, np.full(folds, 1.0 / folds), rng)
    else:
        assigned = assign_rows(traits, folds, rng)
    if assigned is None or len(np.unique(assigned[assigned >= 0])) < folds:
        more, why = "", "A class's only row is always trained on." if traits.classes is not None else ""
        if traits.groups is not None:
            why = "Groups stay whole, and a class's only group is always trained on."
        if traits.times is not None:
            more, why = " and one block before them", "Rows of one time stay together."
        raise DataError(
            f"found {traits.description}, too few for {folds} folds{more}",
            place=traits.location,
            hint=SINGLE_ROWS_HINT
            if traits.has_only_unique_classes
            else f"Add rows, or use fewer folds: an ensemble has one for each of its `members`. {why}".rstrip(),
        )
    return assigned
