"""A problem of a training, and the settings of the configuration that help."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from math import log10
from pathlib import Path
from typing import Any

from nncli.base.findings import Finding, FindingCode, warning
from nncli.config.schema import Config
from nncli.nn.layers.dense import Dense
from nncli.nn.layers.sequential import Dropout
from nncli.run_directory.filenames import CONFIG
from nncli.run_directory.remedies import MeasuredRemedy, remedy_options

MAY_HELP = "May help (`nncli diagnose --try` measures it)"
"""What precedes a command that was not measured."""


@dataclass(frozen=True)
class TrainingProblem:
    """A problem of a training: its evidence in words, the keys to set, or other advice, and its cost from 0 to 1.

    A `goal`, the options of `nncli threshold`, is a remedy without another training. One that `is_cause` follows from
    no other problem.
    """

    code: FindingCode
    message: str
    cost: float
    assignments: tuple[str, ...] = ()
    advice: str = ""
    goal: tuple[str, ...] = ()
    is_cause: bool = False

    @property
    def remedy(self) -> tuple[FindingCode, tuple[str, ...], tuple[str, ...]]:
        """What tells its remedy from those of other problems."""
        return self.code, self.assignments, self.goal

    def command(self, run: Path) -> str:
        """The command of the remedy: a threshold, or a training with other settings; empty if neither is known."""
        options = remedy_options(self.assignments, self.goal)
        if self.goal:
            return f"nncli threshold {shlex.quote(str(run))} {options} --save"
        return f"nncli train {shlex.quote(str(run / CONFIG))} {options}" if options else ""

    def finding(self, run: Path, measured: MeasuredRemedy | None = None) -> Finding:
        """The finding about a run, with what may help, or what that does as it was `measured`."""
        command = self.command(run)
        words = [self.advice, f"{MAY_HELP}: {command}" if command else ""]
        if measured is not None and command:
            is_followed = measured.effect == "better" or self.code is FindingCode.TARGET_LEAKAGE
            text = f"{measured.options} was tried" if not is_followed else "Measured"
            words = [self.advice, f"{text}: {measured.sentence}", f"To follow it: {command}" if is_followed else ""]
        return warning(self.code, self.message, hint=". ".join(filter(None, words)))


def rounded(rate: float) -> str:
    """A learning rate as 1 or 3 times a power of ten."""
    halves = round(2.0 * log10(rate))
    return f"{(3.0 if halves % 2 else 1.0) * 10.0 ** (halves // 2):g}"


def learning_rate(rate: float) -> str:
    """The assignment of a highest learning rate."""
    return f"learning_rate.peak={rounded(rate)}"


def layers_with(
    config: Config, activation: str | None = None, dropout: float | None = None, most: int | None = None
) -> tuple[str, ...]:
    """The assignments of the layers of a run without their initializers, and with another activation or dropout.

    Of a network that is deeper than `most` dense layers, so many are left.

    The configuration of a run has activation and initializer written out in every layer. Nothing for a network of
    other layers than these and dropout, or if nothing would change.
    """
    has_init = config.init is not None or any(getattr(layer, "init", None) is not None for layer in config.layers)
    if not (has_init or activation or dropout) or not all(
        isinstance(layer, Dense | Dropout) for layer in config.layers
    ):
        return ()

    def short(layer: Dense | Dropout) -> Any:
        if isinstance(layer, Dropout):
            given = layer.model_dump(mode="json", exclude={"schedule"} if layer.schedule == "constant" else None)
            return given if dropout is None else given | {"rate": min(layer.rate, dropout)}
        other = {} if activation or layer.activation in (None, config.activation) else layer.activation.model_dump()
        full = {"type": "dense", "units": layer.units, "bias": layer.bias} | ({"activation": other} if other else {})
        return layer.units if layer.bias and not other else full

    kept = [layer for layer in config.layers if isinstance(layer, Dense | Dropout)]
    while most is not None and sum(isinstance(layer, Dense) for layer in kept) > most:
        kept.pop()
    layers = f"layers={json.dumps([short(layer) for layer in kept])}"
    of_activation = () if activation is None else (f"activation={activation}",)
    return (layers, *of_activation, *(() if config.init is None else ("init=null",)))


def without_present(config: Config, assignments: tuple[str, ...]) -> tuple[str, ...]:
    """The assignments that would change a configuration. Layers are also given to change their activation."""

    def is_present(assignment: str) -> bool:
        key, _, text = assignment.partition("=")
        value: Any = config.model_dump(mode="json")
        for part in key.split("."):
            value = value.get(part, ...) if isinstance(value, dict) else ...
        try:
            given = json.loads(text)
        except ValueError:
            given = text
        return bool(value == given or (isinstance(value, dict) and value.get("type", ...) == given))

    others = [x for x in assignments if not x.startswith("layers=") and not is_present(x)]
    has_init = any(getattr(layer, "init", None) is not None for layer in config.layers)
    unchanged = () if has_init or any(x.startswith("activation=") for x in others) else layers_with(config, dropout=1.0)
    return tuple(x for x in assignments if x in others or (x.startswith("layers=") and x not in unchanged))
