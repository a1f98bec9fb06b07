"""Content of history.csv, health.csv and metrics.json of a run."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nncli.base.findings import Finding, FindingCode, of_json
from nncli.models.scores import Averaging, ScoreWithInterval
from nncli.run_directory.loader import LARGEST_TEXT, damaged, read_manifest, read_verified
from nncli.run_directory.manifest import CONFIG, HEALTH, HISTORY, MANIFEST, METRICS, Manifest

if TYPE_CHECKING:
    from nncli.nn.training.health import Health, LayerHealth
    from nncli.nn.training.loop import EpochReport

LARGEST_LINE = 200
"""Bytes of an epoch in history.csv at most."""


@dataclass(frozen=True)
class History:
    """The reports of all epochs, and the name of their metric, None without validation rows."""

    metric: str | None
    reports: tuple[EpochReport, ...]

    @property
    def best(self) -> EpochReport | None:
        """The report of the best epoch, whose weights were kept."""
        return next((report for report in reversed(self.reports) if report.is_best), None)


def history_csv(reports: Iterable[EpochReport], metric: str | None) -> str:
    """The content of history.csv; the metric's column is named after it, such as `val_accuracy`."""
    from nncli.nn.training.loop import EpochReport

    names = [field.name for field in fields(EpochReport)]
    titles = [f"val_{metric}" if name == "metric" and metric else name for name in names]
    lines = [",".join(titles)]
    lines += [",".join(_cell(getattr(report, name)) for name in names) for report in reports]
    return "\n".join(lines) + "\n"


def health_csv(measurements: Iterable[Health]) -> str:
    """The content of health.csv: a line for each layer at each moment, which repeats what is of all layers."""
    moment, layer = _health_columns()
    lines = [",".join([*moment, "layer", *layer[1:]])]
    for health in measurements:
        shared = [_rounded(getattr(health, name)) for name in moment]
        lines += [",".join([*shared, *_layer_cells(part)]) for part in health.layers]
    return "\n".join(lines) + "\n"


def _layer_cells(layer: LayerHealth) -> Iterator[str]:
    from nncli.nn.training.health import HEALTH_LEVELS

    for field in fields(layer):
        value = getattr(layer, field.name)
        yield from map(_rounded, (value or (None,) * len(HEALTH_LEVELS)) if isinstance(value, tuple) else (value,))


def _rounded(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else _cell(value)


def as_recorded(value: float) -> float:
    """A number as health.csv has it, with six digits."""
    return float(_rounded(value))


def _health_columns() -> tuple[list[str], list[str]]:
    """The columns of health.csv: those of a moment, and those of a layer, with one for each quantile."""
    from nncli.nn.training.health import HEALTH_LEVELS, Health, LayerHealth

    layer = [field.name for field in fields(LayerHealth)]
    quantiles = [
        f"{name.removesuffix('_quantiles')}_p{100.0 * level:g}" for name in layer[-3:] for level in HEALTH_LEVELS
    ]
    return [field.name for field in fields(Health)[:-1]], [*layer[:-3], *quantiles]


def read_health(folder: Path, manifest: Manifest) -> tuple[Health, ...]:
    """Read health.csv of the run in `folder`; nothing for a run of an older version.

    Raises:
        RunError: it is missing or damaged.
    """
    from nncli.nn.training.health import HEALTH_LEVELS, Health, LayerHealth

    if HEALTH not in manifest.files:
        return ()
    text = read_verified(folder, HEALTH, manifest, LARGEST_TEXT)
    moments: dict[tuple[str, ...], list[LayerHealth]] = {}
    (of_moment, of_layer), measurements = _health_columns(), list[Health]()
    try:
        lines = list(csv.reader(io.StringIO(text.decode())))
        if lines[0] != [*of_moment, "layer", *of_layer[1:]]:
            raise ValueError("other columns")
        for line in lines[1:]:
            shared, (name, *values) = line[: len(of_moment)], line[len(of_moment) :]
            numbers: list[Any] = [float(value) if value else None for value in values]
            n = len(HEALTH_LEVELS)
            parts = (numbers[at : at + n] for at in range(len(numbers) - 3 * n, len(numbers), n))
            quantiles = [tuple(value for value in part if value is not None) for part in parts]
            moments.setdefault(tuple(shared), []).append(LayerHealth(name, *numbers[: -3 * n], *quantiles))
        for (epoch, step, *others), layers in moments.items():
            fields_of_health: list[Any] = [int(epoch), int(step), *map(float, others), tuple(layers)]
            measurements.append(Health(*fields_of_health))
    except (ValueError, IndexError, TypeError, csv.Error) as error:
        raise damaged(folder, HEALTH, "the file is damaged: it holds no health of a training") from error
    return tuple(measurements)


def _cell(value: object) -> str:
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


@dataclass(frozen=True)
class RecordedScores:
    """The metrics that are a single number, which have no intervals, and the number of rows.

    `optimistic` if these rows took part in the choice of the epoch, as validation rows did in older versions.
    """

    rows: int
    scores: tuple[ScoreWithInterval, ...]
    averaging: Averaging | None = None
    optimistic: bool = False


@dataclass(frozen=True)
class RecordedCycle:
    """Whether another cycle of the learning rate followed after a number of epochs; see fitting/ensemble/train.py."""

    epochs: int
    decrease: float
    standard_error: float
    continues: bool


@dataclass(frozen=True)
class RecordedMetrics:
    """The contents of metrics.json; the `shrinkage` is the share by which outputs were moved towards a constant."""

    training: RecordedScores | None
    validation: RecordedScores | None
    findings: tuple[Finding, ...] = ()
    cycles: tuple[RecordedCycle, ...] = ()
    shrinkage: float = 0.0


def verify_records(folder: Path, manifest: Manifest) -> None:
    """Verify the configuration, the metrics and the histories of a run and its members, as far as they are there.

    Raises:
        RunError: one of them was changed.
    """
    for name in (CONFIG, METRICS, HISTORY, HEALTH):
        if name in manifest.files and os.path.lexists(folder / name):
            read_verified(folder, name, manifest, LARGEST_TEXT + LARGEST_LINE * manifest.epochs)
    for member in manifest.member_folders if manifest.members > 1 else ():
        if os.path.lexists(folder / member / MANIFEST):
            verify_records(folder / member, read_manifest(folder / member))


def read_history(folder: Path, manifest: Manifest) -> History:
    """Read history.csv of the run in `folder`.

    Raises:
        RunError: it is missing or damaged.
    """
    text = read_verified(folder, HISTORY, manifest, LARGEST_TEXT + LARGEST_LINE * manifest.epochs)
    try:
        return parse_history(text)
    except ValueError as error:
        raise damaged(folder, HISTORY, "the file is damaged: it is no history of a training") from error


def parse_history(text: bytes) -> History:
    """The history in the content of history.csv.

    Raises:
        ValueError: it is no history of a training.
    """
    try:
        lines = list(csv.reader(io.StringIO(text.decode())))
        titles = lines[0]
        metric = titles[4].removeprefix("val_") if titles[4] != "metric" else None
        return History(metric, tuple(_report(line) for line in lines[1:]))
    except (IndexError, TypeError, csv.Error) as error:
        raise ValueError("not a history of a training") from error


def read_metrics(folder: Path, manifest: Manifest) -> RecordedMetrics:
    """Read metrics.json of the run in `folder`.

    Raises:
        RunError: it is missing or damaged.
    """
    text = read_verified(folder, METRICS, manifest, LARGEST_TEXT)
    try:
        document = json.loads(text)
        training, validation = (_recorded_scores(document.get(name), name) for name in ("training", "validation"))
        if "out_of_fold" in document:  # of a cross-validation, whose folds chose nothing
            validation = _recorded_scores(
                {"baseline": {}, "optimistic": False, **document["out_of_fold"]}, "validation"
            )
        cycles = tuple(
            RecordedCycle(cycle["epochs"], cycle["decrease"], cycle["standard_error"], cycle["continues"])
            for cycle in document.get("cycles", [])
        )
        findings, shrinkage = _findings(document.get("findings", [])), float(document.get("shrinkage", 0.0))
        return RecordedMetrics(training, validation, findings, cycles, shrinkage)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise damaged(folder, METRICS, "the file is damaged: it holds no scores") from error


def _report(line: list[str]) -> EpochReport:
    from nncli.nn.training.loop import EpochReport

    epoch, loss, penalty, val_loss, metric, rate, best, seconds = line
    return EpochReport(
        epoch=int(epoch),
        loss=float(loss),
        penalty=float(penalty),
        val_loss=float(val_loss) if val_loss else None,
        metric=float(metric) if metric else None,
        learning_rate=float(rate),
        is_best=best == "true",
        seconds=float(seconds),
    )


def _findings(documents: list[dict[str, Any]]) -> tuple[Finding, ...]:
    """The recorded warnings, without those whose codes only a newer nncli knows."""
    codes = {code.value for code in FindingCode}
    return tuple(of_json(document) for document in documents if document["code"] in codes)


def _recorded_scores(document: dict[str, Any] | None, rows: str) -> RecordedScores | None:
    """The scores of the training or validation rows; None where metrics.json has none."""
    if document is None:
        return None
    model, baseline = document["metrics"], document["baseline"]
    pairs = [(None, model, baseline)]
    if "targets" in model:
        pairs = [(name, scores, baseline.get("targets", {}).get(name, {})) for name, scores in model["targets"].items()]
    scores = [
        ScoreWithInterval(target, name, _number(value), None, _number(of_baseline.get(name)), None)
        for target, of_model, of_baseline in pairs
        for name, value in of_model.items()
        if value is None or isinstance(value, int | float)
    ]
    averaging = document.get("averaging")
    return RecordedScores(
        rows=int(document["rows"]),
        scores=tuple(scores),
        averaging=averaging and Averaging(tuple(map(float, averaging["factors"])), int(averaging["rows"])),
        optimistic=rows == "validation" and bool(document.get("optimistic", True)),
    )


def _number(value: float | None) -> float | None:
    return None if value is None else float(value)
