"""The predictions of the folds of a cross-validation, kept in held_out.safetensors of its directory.

A finished cross-validation is scored again from them, without its models.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nncli.base.errors import RunError
from nncli.fitting.ensemble.out_of_fold import EnsembleData, LabeledRows, predict_table
from nncli.models.held_out_rows import LARGEST_FILE, HeldOutRows, MemberPredictions
from nncli.models.predictions import Predictions
from nncli.runs.cross_validation import KeptFolds, digest_of_models
from nncli.runs.loader import read_file
from nncli.runs.manifest import HELD_OUT
from nncli.runs.run import Run


@dataclass(frozen=True)
class FoldPredictions:
    """The rows of each fold, by their positions in the table, and the predictions of the model that left them out."""

    rows: tuple[npt.NDArray[np.int64], ...]
    predictions: tuple[Predictions, ...]

    @classmethod
    def of(cls, fold_data: Sequence[EnsembleData], paths: Sequence[Path]) -> FoldPredictions:
        """Predict the rows of each fold by the run at its path."""
        rows = tuple(data.excluded_rows for data in fold_data)
        predictions = (
            predict_table(Run(path).load_model(), data.table.take(own), data.target)
            for data, path, own in zip(fold_data, paths, rows, strict=True)
        )
        return cls(rows, tuple(predictions))

    @classmethod
    def read(
        cls, run: Run, kept: KeptFolds | None, fold_data: Sequence[EnsembleData], paths: Sequence[Path]
    ) -> FoldPredictions | None:
        """The predictions that a cross-validation keeps.

        None if it keeps none or not all, if the file is damaged, or if a model was trained again since.
        """
        if kept is None:
            return None
        data = fold_data[0]
        try:
            content = read_file(run.path, HELD_OUT, LARGEST_FILE)
            if hashlib.sha256(content).hexdigest() != kept.sha256 or tuple(map(digest_of_models, paths)) != kept.models:
                return None
            held_out = HeldOutRows.from_bytes(content, data.target, len(paths), data.loss.quantile_levels)
        except (RunError, ValueError):
            return None
        rows = tuple(one.excluded_rows for one in fold_data)
        if [len(member.rows) for member in held_out.members] != [len(own) for own in rows]:
            return None
        return cls(rows, tuple(member.predictions for member in held_out.members))

    def held_out_rows(self, data: EnsembleData, truth: LabeledRows, mean: Predictions) -> HeldOutRows:
        """The rows that are in a fold, with the `mean` of their predictions, each training being a member.

        `truth` are the true targets of all rows of the table.
        """
        rows, numbers = np.unique(np.concatenate(self.rows)), data.table.row_numbers
        scored = data.scored_rows(truth.take(rows), truth, mean)
        members = map(MemberPredictions, (np.searchsorted(rows, own) for own in self.rows), self.predictions)
        return HeldOutRows.of(scored, rows + 1 if numbers is None else numbers[rows], members)
