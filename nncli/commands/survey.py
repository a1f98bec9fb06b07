"""What an ensemble needs to know of the table as a whole: what its rows are, and who holds out which of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nncli.commands.choices import choose_loss
from nncli.commands.members import member_config
from nncli.commands.rows import read, split_of, traits_of, with_target
from nncli.commands.scores import Truth, baseline, score
from nncli.commands.session import ScoreCard
from nncli.config.schema import Config, ValidationFile
from nncli.data.folds import Fold
from nncli.data.scratch import Scratch
from nncli.data.stored import StoredTable
from nncli.data.targets import ClassTarget, NumberTarget, Target
from nncli.data.weights import Weights, read_weights
from nncli.ensemble import Ensemble, EnsembleSpec
from nncli.model import Predictions
from nncli.nn.losses import Loss
from nncli.training.state import Streams


@dataclass(frozen=True)
class Survey:
    """The rows that have a target, and what is predicted of them. `other` are the validation rows of a file.

    The target knows every class of the table, and leaves numbers in their own units.
    """

    config: Config
    table: StoredTable
    other: StoredTable | None
    table_rows: int
    target: Target
    loss: Loss
    notes: tuple[str, ...]

    @classmethod
    def of(cls, config: Config, scratch: Scratch) -> Survey:
        """Read the table that `config` names, as every member will.

        Raises:
            ConfigError, DataError: as for a training.
        """
        notes: list[str] = []
        table = read(config, config.data.path, notes, scratch)
        table_rows = len(table)
        names = config.data.target
        table = with_target(table, names, notes)
        loss, as_classes = choose_loss(config, table.only(names), notes)
        of_target = table.only(names)
        target = ClassTarget.fit(of_target, names[0]) if as_classes else NumberTarget.fit(of_target, names, "none")
        other = None
        if isinstance(config.validation, ValidationFile):
            other = read(config, config.validation.path, notes, scratch, table.outline.dialect)
            other = with_target(other, names, notes)
        return cls(config, table, other, table_rows, target, loss, tuple(notes))

    @property
    def members(self) -> list[Config]:
        """The configuration of each member, as far as it concerns rows."""
        return [member_config(self.config, i, Path(), 1) for i in range(self.config.members)]

    @property
    def as_classes(self) -> bool:
        """Whether the target is one of classes."""
        return isinstance(self.target, ClassTarget)

    @property
    def left_out(self) -> npt.NDArray[np.int64]:
        """The positions of the rows that data.leave_out leaves out."""
        fold = self.config.data.leave_out
        none = np.empty(0, np.int64)
        return none if fold is None else fold.split(traits_of(self.config, self.table, self.as_classes)).validation

    @property
    def inside(self) -> npt.NDArray[np.int64]:
        """The positions of the rows that are trained or validated on."""
        whole = self.config.model_copy(update={"validation": 0.0})
        return split_of(whole, self.table, self.as_classes, Streams.of(0).split).training

    def held_out(self, member: Config) -> npt.NDArray[np.int64]:
        """The positions of the rows that a network of this configuration does not train on, but validates on.

        Raises:
            DataError: there are too few rows.
        """
        return split_of(member, self.table, self.as_classes, Streams.of(member.seed).split).validation

    def without(self, fold: Fold) -> Survey:
        """The same rows, of which a fold is left out."""
        data = self.config.data.model_copy(update={"leave_out": fold})
        return replace(self, config=self.config.model_copy(update={"data": data}))

    @property
    def validation_rows(self) -> int:
        """How many rows any member holds out.

        Raises:
            DataError: there are too few rows for so many members.
        """
        if self.other is not None:
            return len(self.other)
        return len(np.unique(np.concatenate([self.held_out(member) for member in self.members])))

    def spec(self) -> EnsembleSpec:
        """What the members have in common."""
        return EnsembleSpec(
            members=self.config.members,
            target=self.target,
            loss=self.loss,
            missing=self.config.data.missing,
            dialect=self.table.outline.dialect,
        )

    def judge(self, ensemble: Ensemble) -> tuple[ScoreCard, ScoreCard | None]:
        """Scores on all rows that are not left out, and on those held out, each by the members that held it out.

        Where the validation rows have a file of their own, all members have held them out.
        """
        held = np.zeros((len(ensemble.members), len(self.table)), bool)
        for i, member in enumerate(self.members):
            held[i, self.held_out(member)] = True
        counts, inside = held.sum(axis=0), self.inside
        on_all, on_held = predict_apart(ensemble, self.table, held)
        every = self.truth(self.table)
        training = every.take(inside)
        card = self.card(training, training, replace(on_all, values=on_all.values[inside]))
        if self.other is not None:
            there, _ = predict_apart(ensemble, self.other, np.zeros((len(ensemble.members), len(self.other)), bool))
            return card, self.card(self.truth(self.other), training, there)
        rows = np.flatnonzero(counts)
        if not len(rows):
            return card, None
        judged = ensemble.together(on_held[rows], counts[rows, None])
        return card, self.card(every.take(rows), training, judged)

    def truth(self, table: StoredTable) -> Labelled:
        """The truth of the rows of a table."""
        weight = self.config.data.weight
        weights = read_weights(table.only([weight]), weight) if weight else None
        return Labelled(self.target.read(table.only(self.target.names)), weights)

    def card(self, rows: Labelled, training: Labelled, predictions: Predictions) -> ScoreCard:
        """Scores on some rows, and what the guess from the training rows scores there."""
        guess = baseline(self.target, training.y, training.weights, len(rows.y))
        return ScoreCard(
            rows=len(rows.y),
            model=score(predictions, rows.y, rows.weights, self.loss),
            baseline=score(guess, rows.y, rows.weights, self.loss),
        )


@dataclass(frozen=True)
class Labelled:
    """The truth of some rows, and how much each counts."""

    y: Truth
    weights: Weights | None

    def take(self, rows: npt.NDArray[np.int64]) -> Labelled:
        """Those at these positions."""
        return Labelled(self.y[rows], None if self.weights is None else self.weights[rows])


def predict_apart(
    ensemble: Ensemble, table: StoredTable, held: npt.NDArray[np.bool_]
) -> tuple[Predictions, npt.NDArray[Any]]:
    """What all members together say of every row, and the sum (rows, outputs) of what those say that `held` it out.

    `held` is (members, rows). The table is taken up block by block.
    """
    total, apart = (np.zeros((len(table), ensemble.outputs)) for _ in range(2))
    stop = 0
    with np.errstate(all="ignore"):  # what overflows shows in the scores
        for block in table.blocks(ensemble.names):
            span = slice(stop, stop + len(block))
            stop = span.stop
            for i, (values, _) in enumerate(ensemble.each(block)):
                total[span] += values
                apart[span] += values * held[i, span, None]
    return ensemble.together(total, len(ensemble.members)), apart
