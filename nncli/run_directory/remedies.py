"""What the remedies of a diagnosis do to the score of a run, as `nncli diagnose --try` measured it: remedies.json."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from math import isfinite
from pathlib import Path
from typing import Any, Literal

from nncli.base.atomic_files import write_text
from nncli.base.findings import FindingCode
from nncli.base.text import format_number, format_range
from nncli.run_directory.filenames import REMEDIES
from nncli.run_directory.loader import damaged, read_file
from nncli.run_directory.manifest import Manifest

LARGEST = 1_000_000


def remedy_options(assignments: Sequence[str], goal: Sequence[str]) -> str:
    """A remedy as options of `nncli threshold`, or of `nncli train`."""
    return shlex.join(goal or [word for assignment in assignments for word in ("--set", assignment)])


@dataclass(frozen=True)
class MeasuredRemedy:
    """A remedy for the problem `code`, and a score of the run `before` it and `after` it on the same held-out rows.

    It is a training with other settings (`assignments`), or a threshold (`goal`, options of `nncli threshold`). `low`
    and `high` are the ends of the 95 % interval of the difference; None without one. Both trainings were shortened if
    `is_short`. Without scores the `reason` says why it was not measured.
    """

    code: FindingCode
    assignments: tuple[str, ...]
    goal: tuple[str, ...]
    measure: str = ""
    rows: int = 0
    before: float | None = None
    after: float | None = None
    low: float | None = None
    high: float | None = None
    higher_is_better: bool = False
    is_short: bool = False
    reason: str = ""

    @property
    def effect(self) -> Literal["better", "worse", "unclear", "not measured"]:
        """What the remedy does, by the interval of the difference; that of a threshold by its score."""
        if self.before is None or self.after is None:
            return "not measured"
        sign = 1.0 if self.higher_is_better else -1.0
        low, high = (self.after - self.before,) * 2 if self.low is None or self.high is None else (self.low, self.high)
        worst, best = sorted((sign * low, sign * high))
        return "better" if worst > 0.0 else "worse" if best < 0.0 else "unclear"

    @property
    def sentence(self) -> str:
        """The scores and what follows from them, such as in a table of the report."""
        if self.before is None or self.after is None:
            return f"not measured: {self.reason}"
        verdict = {"better": "it helps", "worse": "it makes the run worse", "unclear": "no clear difference"}
        if self.code is FindingCode.TARGET_LEAKAGE:
            verdict = dict.fromkeys(verdict, "that of the other columns")
        text = f"{self.measure} {format_number(self.after)} with it, {format_number(self.before)} without"
        text += f", on {self.rows:,} held-out rows" + (" after short trainings" if self.is_short else "")
        if self.low is not None and self.high is not None:
            ends = format_range(format_number(self.low), format_number(self.high))
            text += f" (95 % CI of the difference: {ends})"
        return f"{text}: {verdict.get(self.effect, '')}"

    @property
    def options(self) -> str:
        """The remedy as options of a command."""
        return remedy_options(self.assignments, self.goal)

    @property
    def as_json(self) -> dict[str, Any]:
        """All fields as a JSON object, with the effect."""
        return {**asdict(self), "code": self.code.value, "effect": self.effect}


def save_remedies(run: Path, manifest: Manifest, remedies: Sequence[MeasuredRemedy]) -> None:
    """Keep what was measured in the run, with the time of the training that it is about.

    Raises:
        NncliError: the run directory cannot be written.
    """
    document = {"finished": manifest.finished, "remedies": [remedy.as_json for remedy in remedies]}
    write_text(run / REMEDIES, json.dumps(document, indent=1, ensure_ascii=False) + "\n", in_place=True)


def read_remedies(run: Path, manifest: Manifest) -> tuple[MeasuredRemedy, ...]:
    """What was measured of a run; nothing if nothing was, or if it was trained further since.

    Raises:
        RunError: the file is damaged.
    """
    if not os.path.lexists(run / REMEDIES):
        return ()
    try:
        document = json.loads(read_file(run, REMEDIES, LARGEST))
        if document["finished"] != manifest.finished:
            return ()
        return tuple(map(_remedy, document["remedies"]))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise damaged(run, REMEDIES, "the file is damaged: it holds no measured remedies") from error


def _remedy(document: dict[str, Any]) -> MeasuredRemedy:
    values = {field.name: document[field.name] for field in fields(MeasuredRemedy)}
    numbers = [values[name] for name in ("before", "after", "low", "high")]
    words = [*values["assignments"], *values["goal"], values["measure"], values["reason"]]
    if not all(x is None or isfinite(x) for x in numbers) or not all(isinstance(word, str) for word in words):
        raise ValueError("other values")
    code = {code.value: code for code in FindingCode}[values["code"]]
    return MeasuredRemedy(
        **{**values, "code": code, "assignments": tuple(values["assignments"]), "goal": tuple(values["goal"])}
    )
