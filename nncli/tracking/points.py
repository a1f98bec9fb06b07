"""Epochs, scores and configurations as points and parameters: pure functions."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from nncli.base.spec import non_defaults
from nncli.config.schema import Config
from nncli.nn.training.loop import EpochReport
from nncli.runs.history import History, RecordedMetrics, RecordedScores
from nncli.tracking.tracker import Point, Value

ALWAYS = ("layers", "loss", "optimizer", "learning_rate", "batch_size", "epochs", "members", "seed")
"""Keys of a configuration that are parameters also at their defaults, so that runs can be compared by them."""
NEVER = frozenset({"output", "checkpoint", "memory_limit", "workers", "threads"})
"""Keys that say nothing of the model."""
MAX_TEXT = 500
"""Characters of a parameter."""
NOT_IN_NAMES = re.compile(r"[^-.\w]")
"""Characters that not every tracker allows in the names of metrics and parameters."""
MAX_NAME = 240
"""Characters of a name, which MLflow limits to 250."""


def parameters(config: Config) -> tuple[tuple[str, Value], ...]:
    """The keys of a configuration that differ from their defaults, and those of `ALWAYS`, in the order of the schema.

    Keys of a section follow its name and a dot. Lists and deeper sections are JSON.

    >>> from nncli.config.loading import load_config
    >>> dict(parameters(load_config("configs/penguins.yaml")))["optimizer.momentum"]
    0.9
    """
    changed = non_defaults(config)
    keys = [key for key in Config.model_fields if key not in NEVER and (key in changed or key in ALWAYS)]
    pairs = [pair for key in keys for pair in _flat(key, non_defaults(getattr(config, key)))]
    names = tracker_names((key,) for key, _ in pairs)
    return tuple((names[key,], value) for key, value in pairs)


def _flat(key: str, value: object) -> Iterator[tuple[str, Value]]:
    if isinstance(value, dict) and value:
        for inner, item in value.items():
            yield f"{key}.{inner}", parameter_value(item)
    elif value is not None:
        yield key, parameter_value(value)


def parameter_value(value: object) -> Value:
    """A value of a configuration as that of a parameter: lists and sections are JSON, and long texts are cut."""
    if isinstance(value, int | float):
        return value
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"


def tracker_name(*parts: str) -> str:
    """The name of a metric or parameter: parts joined by slashes, with the letters that every tracker allows.

    >>> tracker_name("validation", "price in €", "rmse")
    'validation/price_in__/rmse'
    """
    cleaned = [NOT_IN_NAMES.sub("_", part) for part in parts]
    name = "/".join(part if part.strip(".") else "_" * max(1, len(part)) for part in cleaned)
    return name[:MAX_NAME]


def tracker_names(names: Iterable[tuple[str, ...]]) -> dict[tuple[str, ...], str]:
    """The name of each metric or parameter for trackers; of those that would be equal the second one ends with _2.

    >>> tracker_names([("layers.*.units",), ("layers._.units",)])
    {('layers.*.units',): 'layers._.units', ('layers._.units',): 'layers._.units_2'}
    """
    result: dict[tuple[str, ...], str] = {}
    used: set[str] = set()
    for parts in dict.fromkeys(names):
        first = name = tracker_name(*parts)
        number = 1
        while name in used:
            number += 1
            name = f"{first}_{number}"
        used.add(name)
        result[parts] = name
    return result


def epoch_points(report: EpochReport, metric: str | None, time: float) -> tuple[Point, ...]:
    """The points of one epoch: loss, penalty if there is one, val_loss, val_METRIC and learning_rate."""
    values = {
        "loss": report.loss,
        "penalty": report.penalty or None,
        "val_loss": report.val_loss,
        f"val_{metric}": report.metric,
        "learning_rate": report.learning_rate,
    }
    return tuple(
        Point(tracker_name(name), report.epoch, value, time) for name, value in values.items() if value is not None
    )


def end_times(reports: Iterable[EpochReport], started: float) -> list[float]:
    """The time at the end of each epoch: that of the start, and the seconds that were trained until then."""
    times, now = [], started
    for report in reports:
        now += report.seconds
        times.append(now)
    return times


def history_points(history: History, started: float) -> tuple[Point, ...]:
    """The points of all epochs."""
    times = end_times(history.reports, started)
    each = zip(history.reports, times, strict=True)
    return tuple(point for report, time in each for point in epoch_points(report, history.metric, time))


def score_points(metrics: RecordedMetrics, rows: str, best_epoch: int, step: int, time: float) -> tuple[Point, ...]:
    """The final scores as points after the last epoch; `rows` names the held-out ones: validation or out_of_fold."""
    values = {
        **_scores(metrics.validation, rows),
        **_scores(metrics.training, "training"),
        **_baseline(metrics.validation, rows),
    }
    if best_epoch:
        values["best_epoch",] = float(best_epoch)
    return named_points(values, step, time)


def named_points(values: Mapping[tuple[str, ...], float], step: int, time: float) -> tuple[Point, ...]:
    """The points of values, of which the keys are the parts of the names."""
    names = tracker_names(values)
    return tuple(Point(names[parts], step, value, time) for parts, value in values.items())


def _scores(scores: RecordedScores | None, rows: str) -> dict[tuple[str, ...], float]:
    every = () if scores is None else scores.scores
    return {(rows, *_of(one.target), one.name): one.value for one in every if one.value is not None}


def _baseline(scores: RecordedScores | None, rows: str) -> dict[tuple[str, ...], float]:
    every = () if scores is None else scores.scores
    return {("baseline", rows, *_of(one.target), one.name): one.baseline for one in every if one.baseline is not None}


def _of(target: str | None) -> tuple[str, ...]:
    return () if target is None else (target,)


def json_scores(scores: Mapping[str, Any], *before: str) -> dict[tuple[str, ...], float]:
    """The scores of a JSON object that are numbers, those of several targets included, by the parts of their names."""
    values = {
        (*before, name): float(value)
        for name, value in scores.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }
    for target, inner in scores.get("targets", {}).items():
        values.update(json_scores(inner, *before, target))
    return values
