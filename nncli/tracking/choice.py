"""The trackers that a person chooses by words such as `tensorboard=logs` and `mlflow=http://127.0.0.1:5000`."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from nncli.base.credentials import with_credentials, without_credentials
from nncli.base.errors import UsageError
from nncli.base.text import closest_match, quote
from nncli.tracking.tracker import Tracker

Kind: TypeAlias = Literal["tensorboard", "mlflow"]
KINDS: tuple[Kind, ...] = get_args(Kind)
PACKAGES = {"tensorboard": "tensorboardX", "mlflow": "mlflow"}
TITLES = {"tensorboard": "TensorBoard", "mlflow": "MLflow"}
LOG_DIRECTORY = "tensorboard"
"""The default log directory, in the folder that holds the run directory."""


@dataclass(frozen=True)
class TrackerChoice:
    """A kind of tracker and where it writes to: a log directory, or the URI of a server without its credentials."""

    kind: Kind
    target: str | None = None

    @classmethod
    def parse(cls, text: str) -> TrackerChoice:
        """The choice in `KIND` or `KIND=TARGET`; its packages are installed.

        Raises:
            UsageError: there is no such kind, its package is not installed, or the target is no place to write to.
        """
        word, is_given, target = text.partition("=")
        kind = next((kind for kind in KINDS if kind == word), None)
        if kind is None:
            near = closest_match(word, KINDS)
            hint = f"Did you mean {near}?" if near else "Trackers are tensorboard[=DIR] and mlflow[=URI]."
            raise UsageError(f"there is no tracker {quote(word)}", hint=hint)
        if is_given and not target:
            hint = "For example tensorboard=logs, or mlflow=http://127.0.0.1:5000."
            raise UsageError(f"nothing follows {kind}=", hint=hint)
        if find_spec(PACKAGES[kind]) is None:
            raise UsageError(
                f"the package {PACKAGES[kind]} is not installed", hint=f"pip install 'nncli-train[{kind}]'"
            )
        if kind == "mlflow":
            return cls(kind, without_credentials(target) if target else None)
        if target and os.path.lexists(target) and not os.path.isdir(target):  # noqa: PTH112 - the name may be too long
            raise UsageError(f"{quote(target)} is a file", hint="Name a folder: --track tensorboard=logs")
        return cls(kind, target or None)

    @property
    def title(self) -> str:
        """The name that people know."""
        return TITLES[self.kind]

    def __str__(self) -> str:
        return self.kind if self.target is None else f"{self.kind}={self.target}"

    def open(self, run: Path) -> Tracker:
        """The tracker for a run directory; this imports its package."""
        if self.kind == "tensorboard":
            from nncli.tracking.tensorboard import TensorBoard

            return TensorBoard(Path(self.target) if self.target else run.absolute().parent / LOG_DIRECTORY)
        from nncli.tracking.mlflow import MLflow

        return MLflow(None if self.target is None else with_credentials(self.target))


def parse_trackers(words: Iterable[str]) -> tuple[TrackerChoice, ...]:
    """The choices, each once.

    Raises:
        UsageError: as for `TrackerChoice.parse`.
    """
    return tuple(dict.fromkeys(map(TrackerChoice.parse, words)))
