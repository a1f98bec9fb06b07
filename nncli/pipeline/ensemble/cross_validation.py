"""What cross-validation keeps and finds: which folds, of what, and how good the networks are on what they never saw."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import Any, Literal

import numpy as np
import polars as pl
from pydantic import ValidationError

from nncli.config.loading import load_config
from nncli.config.schema import Config
from nncli.data.io.streams import digest
from nncli.data.splitting.folds import Fold
from nncli.ensemble import n_outputs
from nncli.errors import DataError, Location, NncliError, RunError
from nncli.model import Predictions
from nncli.pipeline.ensemble.out_of_fold import EnsembleData, predict_table
from nncli.pipeline.prepare.execution import Execution
from nncli.pipeline.train.provenance import fingerprint
from nncli.runs.filenames import CROSS_VALIDATION
from nncli.runs.loader import LARGEST_TEXT, read_file
from nncli.runs.manifest import CONFIG
from nncli.runs.run import Run
from nncli.scoring import Scores, headlines, to_json
from nncli.spec import PositiveInt, Spec
from nncli.utils.atomic_files import write_text

NOTHING = Execution("numpy", 1, 1)


class CrossValidationRecord(Spec):
    """How many folds there are, how often, for how long, and of what: digests of the configuration and the table."""

    format: Literal[1] = 1
    folds: PositiveInt
    repeats: PositiveInt
    epochs: PositiveInt | Literal["auto"]
    fingerprint: str
    data_sha256: str

    def of(self, seed: int) -> list[Fold]:
        """All folds, those of each repeat next to each other."""
        return [
            Fold(folds=self.folds, fold=fold, seed=seed + repeat)
            for repeat in range(self.repeats)
            for fold in range(self.folds)
        ]


def start_record(wanted: Path, config: Config, folds: int, repeats: int) -> tuple[Run, CrossValidationRecord]:
    """Make the directory, `wanted` or the first of `wanted-2` … that is free.

    Raises:
        NncliError: it cannot be made.
    """
    record = CrossValidationRecord(
        folds=folds,
        repeats=repeats,
        epochs=config.epochs,
        fingerprint=fingerprint(config, NOTHING),
        data_sha256=digest(Path(config.data.path)),
    )
    n, path = 1, wanted
    while True:
        try:
            path.mkdir(parents=True)
            break
        except FileExistsError:
            n += 1
            path = wanted.with_name(f"{wanted.name}-{n}")
        except OSError as error:
            raise NncliError(
                f"cannot make the directory: {error.strerror or error}",
                place=Location(source=str(path)),
                hint="Name another place with -o.",
            ) from error
    run = Run(path)
    run.save_config(config.model_copy(update={"output": str(path)}))
    write_text(path / CROSS_VALIDATION, record.model_dump_json(indent=1) + "\n")
    return run, record


def open_record(path: Path) -> tuple[Run, CrossValidationRecord, Config]:
    """A cross-validation that was begun, with its configuration.

    Raises:
        RunError: there is none, or it was changed.
        DataError: the table was changed.
    """
    if not os.path.lexists(path / CROSS_VALIDATION):
        raise RunError(
            f"there is no cross-validation to go on with: no {CROSS_VALIDATION}",
            place=Location(source=str(path)),
            hint="`nncli cross-validate CONFIG` begins one and says where.",
        )
    try:
        record = CrossValidationRecord.model_validate_json(read_file(path, CROSS_VALIDATION, LARGEST_TEXT))
    except (ValidationError, ValueError) as error:
        raise RunError(
            "the file is damaged, or was written by a newer nncli", place=Location(source=str(path / CROSS_VALIDATION))
        ) from error
    config = load_config(path / CONFIG)
    if (fingerprint(config, NOTHING), config.epochs) != (record.fingerprint, record.epochs):
        raise RunError(
            "the configuration has been changed since the cross-validation began",
            place=Location(source=str(path / CONFIG)),
            hint="Undo the change, or begin a new one.",
        )
    if digest(Path(config.data.path)) != record.data_sha256:
        raise DataError(
            "the table has changed since the cross-validation began",
            place=Location(source=config.data.path),
            hint="Restore it, or begin a new one.",
        )
    return Run(path), record, config


@dataclass(frozen=True)
class FoldScores:
    """Scores on the rows that one training never saw. Repeats and folds count from 1."""

    repeat: int
    fold: int
    rows: int
    scores: Scores


@dataclass(frozen=True)
class CrossValidation:
    """The scores of every fold, those of all rows together, and what was predicted of each row by who never saw it.

    `predictions` has the `row`, from 1, of the table, the `fold` that held it out, unless there are several repeats,
    of which it is then the mean, and what `nncli predict --proba` shows. Rows that no fold held out are not in it.
    """

    folds: tuple[FoldScores, ...]
    out_of_fold: Scores
    predictions: pl.DataFrame

    @property
    def means(self) -> dict[str, float | None]:
        """The mean of each metric over the folds for which it is defined."""
        return {name: fmean(values) if values else None for name, values in self._values().items()}

    @property
    def standard_deviations(self) -> dict[str, float | None]:
        """The standard deviation of each metric over the folds."""
        return {name: stdev(values) if len(values) > 1 else None for name, values in self._values().items()}

    def _values(self) -> dict[str, list[float]]:
        all_of: dict[str, list[float]] = {}
        for fold in self.folds:
            for name, value in headlines(fold.scores):
                all_of.setdefault(name, []).extend([] if value is None else [value])
        return all_of

    def json(self) -> dict[str, Any]:
        """{"folds": [{"repeat": …, "fold": …, "rows": …, "metrics": …}], "mean": …, "std": …, "out_of_fold": …}."""
        each = [
            {"repeat": one.repeat, "fold": one.fold, "rows": one.rows, "metrics": to_json(one.scores)}
            for one in self.folds
        ]
        return {
            "folds": each,
            "mean": self.means,
            "std": self.standard_deviations,
            "out_of_fold": {"rows": len(self.predictions), "metrics": to_json(self.out_of_fold)},
        }


def score_folds(
    surveys: Sequence[EnsembleData], paths: Sequence[Path], record: CrossValidationRecord
) -> CrossValidation:
    """Score the runs at `paths`, each on the rows that it left out; `surveys` are of the same table."""
    table, target = surveys[0].table, surveys[0].target
    truth = surveys[0].truth(table)
    total, counts = np.zeros((len(table), n_outputs(target))), np.zeros((len(table), 1), np.int64)
    fold_of, scored = np.zeros(len(table), np.int64), []
    for i, (survey, path) in enumerate(zip(surveys, paths, strict=True)):
        rows = survey.excluded_rows
        said = predict_table(Run(path).load_model(), table.take(rows), target)
        card = survey.card(truth.take(rows), truth.take(survey.used_rows), said)
        repeat, fold = divmod(i, record.folds)
        scored.append(FoldScores(repeat + 1, fold + 1, len(rows), card.model))
        total[rows] += said.values
        counts[rows] += 1
        fold_of[rows] = fold + 1
    rows = np.flatnonzero(counts)
    said = Predictions(target, total[rows] / counts[rows], surveys[0].config.precision)
    together = surveys[0].card(truth.take(rows), truth, said).model
    numbers = rows + 1 if table.numbers is None else table.numbers[rows]
    columns = [pl.Series("row", numbers)] + ([pl.Series("fold", fold_of[rows])] if record.repeats == 1 else [])
    frame = said.frame(proba=target.task == "classification")
    return CrossValidation(tuple(scored), together, pl.DataFrame(columns).hstack(frame))
