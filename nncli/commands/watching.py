"""What is watched while a network trains: the validation rows, their metric, and the value whose best epoch counts."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nncli.commands.choices import mistake_at
from nncli.commands.rows import Rows
from nncli.commands.scores import higher_is_better, single_metric
from nncli.config.schema import Config
from nncli.data.targets import ClassTarget
from nncli.errors import UsageError, quoted
from nncli.model import ModelSpec, decode
from nncli.training.plan import Holdout


def _metric_name(config: Config, spec: ModelSpec) -> str:
    """The metric shown for every epoch: the one that stopping watches, or the task's usual one."""
    usual = "accuracy" if isinstance(spec.target, ClassTarget) else "rmse"
    watched = config.early_stopping.metric if config.early_stopping else ""
    if watched in ("", "loss", "val_loss"):
        return usual
    if not watched.startswith("val_"):
        raise mistake_at(
            "early_stopping.metric",
            f"{quoted(watched)} is not watched",
            f"Use loss, val_loss, or val_ and a metric, such as val_{usual}.",
        )
    return watched.removeprefix("val_")


def holdout_of(config: Config, spec: ModelSpec, held: Rows | None) -> Holdout | None:
    name = _metric_name(config, spec)
    try:
        metric = single_metric(spec.target, name)
    except UsageError as error:
        raise mistake_at("early_stopping.metric", error.message, error.hint or "") from error
    if held is None:
        return None
    rows = held

    def score(Z: npt.NDArray[np.floating[Any]]) -> float:
        return metric(rows.y, decode(spec, Z).values, rows.weights)

    return Holdout(held.examples, name, higher_is_better(name), score)


def watched_of(config: Config, holdout: Holdout | None) -> str:
    stopping = config.early_stopping
    if stopping is None:
        return "loss" if holdout is None else "val_loss"
    if holdout is None and stopping.metric != "loss":
        raise mistake_at(
            "early_stopping.metric",
            f"{stopping.metric} needs validation rows, and validation is 0",
            "Set validation: 0.2, or metric: loss, or early_stopping: null.",
        )
    return stopping.metric
