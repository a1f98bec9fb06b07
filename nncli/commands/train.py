"""`nncli train`: a configuration in, a run directory out. What happens on the way comes as typed events."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
import polars as pl

from nncli.commands.prepare import Prepared, Rows, prepare
from nncli.commands.scores import Scores, as_json, baseline, score
from nncli.config.loading import load_config
from nncli.config.schema import Config, ValidationFile
from nncli.data.sources import is_stream
from nncli.data.tables import digest
from nncli.errors import Place, UsageError
from nncli.model import Model, Predictions
from nncli.runs import DataRecord, Machine, Manifest, Run, Status
from nncli.training.loop import DivergedError, EpochReport, fit
from nncli.training.state import State
from nncli.version import __version__


@dataclass(frozen=True)
class Started:
    """The training is about to begin. `metric` is the one that epochs report; `notes` want to be read."""

    run: Path
    training_rows: int
    validation_rows: int
    features: int
    parameters: int
    epochs: int
    metric: str | None
    notes: tuple[str, ...]


@dataclass(frozen=True)
class ScoreCard:
    """Scores on some rows, and what the trivial guess scores there: the mean, or each class's share."""

    rows: int
    model: Scores
    baseline: Scores


@dataclass(frozen=True)
class Finished:
    """The run directory is complete. `best_epoch` 0 means that not one epoch was completed."""

    run: Path
    status: Literal["done", "stopped"]
    epochs: int
    best_epoch: int
    seconds: float
    training: ScoreCard
    validation: ScoreCard | None


Event: TypeAlias = Started | EpochReport | Finished


def train(
    config: Config | str | Path,
    *,
    output: str | Path | None = None,
    assignments: Sequence[str] = (),
    stop: Callable[[], bool] = lambda: False,
) -> Finished:
    """Train from a configuration, or the path of one, and return what came of it.

    Args:
        config: a `Config`, a path, or `-` for the standard input.
        output: the run directory; default: the configuration's.
        assignments: overrides such as `epochs=10` or `optimizer.type=adam`, for a path only.
        stop: asked after every batch; once it answers True the training ends and is saved.

    Raises:
        ConfigError, DataError: nothing was started.
        DivergedError: the loss became infinite or no number; the best epoch before that is saved.
    """
    for event in train_events(config, output=output, assignments=assignments, stop=stop):
        if isinstance(event, Finished):
            return event
    raise AssertionError("train_events ends with Finished or an error")


def train_events(
    config: Config | str | Path,
    *,
    output: str | Path | None = None,
    assignments: Sequence[str] = (),
    command: Sequence[str] = (),
    stop: Callable[[], bool] = lambda: False,
) -> Generator[Event, None, None]:
    """The same, event by event: `Started`, an `EpochReport` for every epoch, `Finished`."""
    if not isinstance(config, Config):
        config = load_config(config, assignments)
    elif assignments:
        raise UsageError("assignments go with the path of a configuration, not with a Config")
    began, clock = datetime.now(UTC), time.perf_counter()
    prepared = prepare(config)
    state = State.fresh(prepared.spec.network, config.optimizer, prepared.streams)
    manifest = _manifest(prepared, began, tuple(command))
    run = Run.create(Path(output or config.output or "runs/model"))
    run.save_config(prepared.config.model_copy(update={"output": str(run.path)}))
    run.save_manifest(manifest)
    metric = prepared.holdout.metric if prepared.holdout else None
    reports: list[EpochReport] = []
    model = Model(prepared.spec, state.best)

    def close(status: Status, *, keep: bool) -> None:
        """Write what the run holds now; `keep` says whether the weights are worth it."""
        if keep:
            run.save_model(model)
        run.save_history(reports, metric)
        ended = {
            "status": status,
            "finished": _iso(datetime.now(UTC)),
            "seconds": round(time.perf_counter() - clock, 3),
            "epochs": state.epoch,
            "best_epoch": state.watch.best_epoch,
        }
        run.save_manifest(manifest.model_copy(update=ended))

    try:
        yield Started(
            run=run.path,
            training_rows=len(prepared.training),
            validation_rows=manifest.validation_rows,
            features=manifest.features,
            parameters=manifest.parameters,
            epochs=config.epochs,
            metric=metric,
            notes=prepared.notes,
        )
        for report in fit(prepared.plan, state, prepared.training.examples, prepared.holdout, stop=stop):
            reports.append(report)
            yield report
        if not state.watch.best_epoch:
            state.best.copy_from(state.parameters)
        seen, held = prepared.training, prepared.validation
        predictions = _predict(model, seen)
        if not _finite(predictions):
            raise _useless(state.epoch)
        training = _score_card(prepared, seen, predictions)
        validation = None if held is None else _score_card(prepared, held, _predict(model, held))
    except BaseException as error:  # also Ctrl-C a second time, or a reader of these events who leaves
        best = state.watch.best_epoch
        keep = best > 0 and _finite(_predict(model, prepared.training))
        close("stopped" if isinstance(error, KeyboardInterrupt | GeneratorExit) else "failed", keep=keep)
        if not isinstance(error, DivergedError):
            raise
        told = _useless(best) if best and not keep else error
        told.place = Place(source=str(run.path))
        raise told from None

    stopped = state.epoch < config.epochs and not state.watch.out_of_patience(prepared.plan.patience)
    close("stopped" if stopped else "done", keep=True)
    run.save_metrics(
        {
            "training": _card_json(training),
            "validation": None if validation is None else _card_json(validation),
        }
    )
    yield Finished(
        run=run.path,
        status="stopped" if stopped else "done",
        epochs=state.epoch,
        best_epoch=state.watch.best_epoch,
        seconds=time.perf_counter() - clock,
        training=training,
        validation=validation,
    )


def _predict(model: Model, rows: Rows) -> Predictions:
    with np.errstate(all="ignore"):  # what overflows shows in the predictions
        return model.predict_examples(rows.examples)


def _finite(predictions: Predictions) -> bool:
    return bool(np.isfinite(predictions.values).all())


def _useless(epoch: int) -> DivergedError:
    return DivergedError(
        f"after epoch {epoch} the network's output is no longer a finite number; nothing was kept",
        hint="Use a lower learning_rate, or clip_norm: 1.",
    )


def _score_card(prepared: Prepared, rows: Rows, predictions: Predictions) -> ScoreCard:
    training, loss = prepared.training, prepared.spec.loss
    guess = baseline(prepared.spec.target, training.y, training.weights, len(rows))
    return ScoreCard(
        rows=len(rows),
        model=score(predictions, rows.y, rows.weights, loss),
        baseline=score(guess, rows.y, rows.weights, loss),
    )


def _card_json(card: ScoreCard) -> dict[str, object]:
    return {"rows": card.rows, "metrics": as_json(card.model), "baseline": as_json(card.baseline)}


def _digest(path: str) -> str | None:
    return None if is_stream(Path(path)) else digest(Path(path))


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")


def _manifest(prepared: Prepared, began: datetime, command: tuple[str, ...]) -> Manifest:
    config, held = prepared.config, prepared.validation
    other = None
    if isinstance(config.validation, ValidationFile) and held is not None:
        path = config.validation.path
        other = DataRecord(path=path, sha256=_digest(path), rows=len(held))
    return Manifest(
        status="running",
        nncli=__version__,
        command=tuple(os.fsencode(word).decode("utf-8", "backslashreplace") for word in command),
        started=_iso(began),
        finished=None,
        seconds=None,
        seed=config.seed,
        data=DataRecord(path=config.data.path, sha256=_digest(config.data.path), rows=prepared.table_rows),
        validation_data=other,
        training_rows=len(prepared.training),
        validation_rows=0 if held is None else len(held),
        features=len(prepared.spec.encoder.columns),
        parameters=prepared.spec.network.layout.size,
        epochs=0,
        best_epoch=0,
        versions={"python": platform.python_version(), "numpy": np.__version__, "polars": pl.__version__},
        machine=Machine(system=platform.platform(), processor=platform.machine(), cores=os.cpu_count() or 1),
    )
