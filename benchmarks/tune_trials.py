"""Trials of `nncli tune` on a table, trained one after another in this process, and kept.

A trial is trained as the search does it, by `TrialTraining`. Its results are kept by the table and its values, so that
searches that come to the same values, or a benchmark that is run again, do not train it again. Seconds are those of the
processor, which a busy machine hardly lengthens.
"""

from __future__ import annotations

import json
import tempfile
import time
from contextlib import ExitStack
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Literal, Self, TypeAlias

import numpy as np
import polars as pl

from nncli.base.scratch import Scratch
from nncli.base.threads import limit_blas_threads
from nncli.config.loading import load
from nncli.config.schema.tune import TuneSection
from nncli.fitting.parallel.control_dir import ControlDirectory
from nncli.fitting.parallel.trainings import task_events
from nncli.nn.training.epoch import DivergedError
from nncli.tuning.prepared_search import PreparedSearch, prepare_search
from nncli.tuning.search_data import SearchData, TrialTraining
from nncli.tuning.space.space import SearchSpace, Values, with_one_network
from tune_search import Stop, Trained

CONFIG = """
layers: [{type: dense, units: 32, activation: relu}, {type: dropout, rate: 0.1}]
learning_rate: 0.01
optimizer: {type: adamw, weight_decay: 0.01}
batch_size: 32
epochs: 20
tune:
  search:
    learning_rate: {from: 0.0001, to: 0.3, scale: log}
    batch_size: {choices: [16, 32, 64, 128]}
    layers:
      choices:
        - [{type: dense, units: 8, activation: relu}, {type: dropout, rate: 0.1}]
        - [{type: dense, units: 32, activation: relu}, {type: dropout, rate: 0.1}]
        - [{type: dense, units: 64, activation: relu}, {type: dropout, rate: 0.1}]
        - - {type: dense, units: 32, activation: relu}
          - {type: dropout, rate: 0.1}
          - {type: dense, units: 32, activation: relu}
    layers.1.rate: {from: 0.0, to: 0.5}
    optimizer:
      choices:
        - {type: sgd, momentum: {from: 0.5, to: 0.99}}
        - {type: adamw, weight_decay: {from: 0.0001, to: 1.0, scale: log}}
"""
"""A small network, and its search space."""
HOLDOUT = "validation: 0.5\n"
FAILED = Trained((), (), ())
Folds: TypeAlias = int | Literal["holdout"]


class Trials:
    """The trials on the rows of a table, of which `rows` are drawn. `work` is a folder where their results are kept."""

    def __init__(self, folder: Path, work: Path, rows: int, folds: Folds) -> None:
        meta = json.loads((folder / "meta.json").read_text("utf-8"))
        self._work = work / f"{folder.name}-{sha256(f'{CONFIG} {rows} {folds}'.encode()).hexdigest()[:8]}"
        self._work.mkdir(parents=True, exist_ok=True)
        table, config = self._work / "table.csv", self._work / "config.yaml"
        if not config.exists():
            sample_of(folder / "train.csv", rows).write_csv(table)
            data = json.dumps({"path": str(table), "target": meta["target"]})
            config.write_text(f"data: {data}\n{HOLDOUT if folds == 'holdout' else ''}{CONFIG}", "utf-8")
        self._loaded = load(config)
        self._section = (self._loaded.tune or TuneSection()).model_copy(update={"folds": folds})
        self._resources = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._resources.close()

    @cached_property
    def _prepared(self) -> PreparedSearch:
        return prepare_search(self._loaded, self._section, self._resources.enter_context(Scratch()), ())

    @property
    def space(self) -> SearchSpace:
        """The search space."""
        return self._prepared.space

    @property
    def data(self) -> SearchData:
        """The rows and their folds."""
        return self._prepared.data

    @property
    def metric(self) -> str:
        """The metric that is searched by."""
        return self.data.objective.metric

    def loss(self, score: float) -> float:
        """What is minimized."""
        return self.data.objective.loss_of(score)

    @property
    def folds(self) -> int:
        """The number of folds."""
        return self.data.folds

    def trained(self, values: Values, stop: Stop) -> Trained | None:
        """The trial with these values, or the configuration itself without any; None if it fails."""
        rounded = self.space.rounded(values)
        file = self._work / f"{sha256(repr(sorted(rounded.items())).encode()).hexdigest()[:16]}.npz"
        if file.exists():
            kept = _read(file)[1]
            if not kept.scores:
                return None
            first = next((n for n in range(1, len(kept.scores)) if stop(kept.first(n))), len(kept.scores))
            if first == self.folds or stop(kept.first(first)):
                return kept.first(first)
        try:
            trained = self._train(rounded, stop)
        except DivergedError:
            trained = FAILED
        _write(file, rounded, trained)
        return trained if trained.scores else None

    def kept(self) -> list[tuple[Values, Trained]]:
        """The values and the results of all trials that were trained on all folds."""
        result = [_read(file) for file in sorted(self._work.glob("*.npz"))]
        return [item for item in result if len(item[1].scores) == self.folds]

    def _train(self, rounded: Values, stop: Stop) -> Trained:
        """Train a trial on all folds, or until it is stopped.

        Raises:
            DivergedError: it fails.
        """
        config = with_one_network(self.space.config(rounded))
        trained = FAILED
        with tempfile.TemporaryDirectory() as name, limit_blas_threads(1):
            control = ControlDirectory(Path(name, "control"))
            control.open()
            training = TrialTraining(0, config, Path(name, "trial"), self.data, 1)
            training.prepare()
            for fold in range(self.folds):
                start = time.process_time()
                for _ in task_events(training.fold_task(fold), control, lambda: False):
                    pass
                training.held_out.append(training.predict(fold))
                seconds = time.process_time() - start
                score = self.data.score(training.held_out)
                if score is None or not np.isfinite(score):
                    return FAILED
                trained = Trained(
                    (*trained.scores, score),
                    (*trained.losses, training.held_out[-1].losses),
                    (*trained.seconds, seconds),
                )
                if fold + 1 < self.folds and stop(trained):
                    break
        return trained


def _write(file: Path, values: Values, trained: Trained) -> None:
    partial = file.with_suffix(".partial")
    with partial.open("wb") as opened:
        text = np.array(json.dumps(dict(values)))
        np.savez(opened, text, np.array(trained.scores), np.array(trained.seconds), *trained.losses)
    partial.rename(file)


def _read(file: Path) -> tuple[Values, Trained]:
    with np.load(file) as kept:
        text, scores, seconds, *losses = (kept[name] for name in kept.files)
    return json.loads(str(text)), Trained(tuple(scores.tolist()), tuple(losses), tuple(seconds.tolist()))


def sample_of(path: Path, rows: int) -> pl.DataFrame:
    """At most so many rows of a table, drawn at random."""
    table = pl.read_csv(path, infer_schema_length=None)
    return table if len(table) <= rows else table.sample(rows, seed=0, shuffle=True)
