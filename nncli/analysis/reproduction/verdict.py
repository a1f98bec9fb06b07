"""The verdict on a run that was trained again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import floor, log10
from pathlib import Path
from typing import Any

from nncli.analysis.reproduction.checks import Check
from nncli.analysis.reproduction.comparison import Comparison
from nncli.runs.manifest import CONFIG, HELD_OUT, HISTORY, MODEL, WEIGHTS

TOLERANCE = 1e-3
"""The largest relative difference of weights and predictions that count as the same.

Another BLAS kernel leads to 1e-7 to 1e-5, unless the training amplifies its rounding."""


class Verdict(StrEnum):
    """Whether a training leads to the same result again."""

    IDENTICAL = "identical"
    CLOSE = "close"
    DIFFERENT = "different"


EXIT_CODES = {Verdict.IDENTICAL: 0, Verdict.CLOSE: 6, Verdict.DIFFERENT: 1}


@dataclass(frozen=True)
class Reproduction:
    """The result of training a run again: what it depends on, and how the results compare.

    With `quick` only so many epochs were trained. `seconds` is how long the training took. `divergence` says where the
    training diverged; None if it did not.
    """

    run: Path
    checks: tuple[Check, ...]
    comparisons: tuple[Comparison, ...]
    seconds: float
    quick: int | None = None
    divergence: str | None = None

    @property
    def verdict(self) -> Verdict:
        """Identical to the bit, the same within a tolerance, or different.

        A run whose files were changed after the training is different, whatever the training leads to.
        """
        if self.changed_files or self.divergence is not None:
            return Verdict.DIFFERENT
        if all(one.is_identical for one in self.comparisons):
            return Verdict.IDENTICAL
        return Verdict.CLOSE if self.difference <= TOLERANCE else Verdict.DIFFERENT

    @property
    def exit_code(self) -> int:
        """The exit code of the verdict."""
        return EXIT_CODES[self.verdict]

    @property
    def difference(self) -> float:
        """The largest relative difference of weights and predictions; of other files only if these are the same.

        Losses differ more in the middle of a training than at its end, and metrics may jump.
        """
        differing = [one for one in self.comparisons if not one.is_identical]
        for names in ((WEIGHTS, MODEL, HELD_OUT), (HISTORY,)):
            sizes = [one.difference for one in differing if Path(one.file).name in names]
            if sizes:
                return max(sizes)
        return max((one.difference for one in differing), default=0.0)

    @property
    def changed_files(self) -> tuple[Check, ...]:
        """The files of the run that were changed or removed after the training, and the changed configuration."""
        return tuple(check for check in self.checks if check.differs and check.kind in ("file", "configuration"))

    @property
    def causes(self) -> tuple[str, ...]:
        """All that is not as it was, in words; a changed configuration is named once."""
        return self._in_words(check for check in self.checks if check.differs)

    def _in_words(self, checks: Iterable[Check]) -> tuple[str, ...]:
        differing = list(checks)
        is_config_changed = any(check.kind == "configuration" for check in differing)
        return tuple(check.cause for check in differing if not (is_config_changed and check.name == CONFIG))

    @property
    def first_difference(self) -> Comparison | None:
        """The history with the earliest epoch that differs."""
        histories = [one for one in self.comparisons if one.first_epoch is not None]
        return min(histories, key=lambda one: one.first_epoch or 0, default=None)

    @property
    def sentence(self) -> str:
        """The verdict in words, with its causes."""
        if self.changed_files and self._is_reproduced:
            return self._changed
        text = self._finding
        if self.verdict is Verdict.IDENTICAL:
            return f"{text}, although {joined(self.causes)}" if self.causes else text
        nothing = "nothing that the run records differs"
        text = f"{text}, {f'because {joined(self.causes)}' if self.causes else f'and {nothing}'}"
        return text if self.divergence is None else f"{text}. The training diverges now: {self.divergence}"

    @property
    def _is_reproduced(self) -> bool:
        """Whether the training again leads to all bits that the run recorded."""
        return self.divergence is None and all(one.is_reproduced for one in self.comparisons)

    @property
    def _compared(self) -> str:
        """The epochs that were compared; empty for all of them."""
        if self.quick is None:
            return ""
        return f"in the first {self.quick:,} epochs" if self.quick > 1 else "in the first epoch"

    @property
    def _changed(self) -> str:
        """What was changed after a training that leads to the recorded result again."""
        changed = self.changed_files
        others = self._in_words(check for check in self.checks if check.differs and check not in changed)
        epochs = f" {self._compared}" if self._compared else ""
        again = f"training again is identical to the bit with what the run recorded{epochs}"
        although = f", although {joined(others)}" if others else ""
        return f"not the run that was trained: {joined(self._in_words(changed))}; {again}{although}"

    @property
    def _finding(self) -> str:
        compared = f"{self._compared} " if self._compared else ""
        if self._is_reproduced:
            return f"{compared}identical to the bit"
        if self.verdict is Verdict.CLOSE:
            return f"{compared}the same within 1e-{floor(-log10(self.difference))}"
        first = self.first_difference
        if first is None and self.divergence is not None:
            return "does not end"
        if first is None:
            files = ", ".join(one.file for one in self.comparisons if not one.is_reproduced)
            return f"differs after the last epoch, in {files}"
        values = ""
        if first.then is not None and first.now is not None:
            values = f" ({first.where} {_shown(first.then, first.now)})"
        member = first.file.removesuffix(HISTORY).rstrip("/")
        return f"differs from epoch {first.first_epoch:,} on{f' in {member}' if member else ''}{values}"

    def json(self) -> dict[str, Any]:
        """{"verdict": …, "exit_code": …, "sentence": …, "difference": …, "first_epoch": …, "causes": […], …}."""
        first = self.first_difference
        return {
            "run": str(self.run),
            "verdict": self.verdict.value,
            "exit_code": self.exit_code,
            "sentence": self.sentence,
            "difference": self.difference if self.difference < float("inf") else None,
            "first_epoch": None if first is None else first.first_epoch,
            "causes": list(self.causes),
            "quick": self.quick,
            "divergence": self.divergence,
            "seconds": round(self.seconds, 3),
            "checks": [check.json() for check in self.checks],
            "comparisons": [one.json() for one in self.comparisons],
        }


def _shown(then: float, now: float) -> str:
    """Two numbers with as many digits as tell them apart."""
    digits = next((n for n in range(4, 17) if f"{then:.{n}g}" != f"{now:.{n}g}"), 17)
    return f"{then:.{digits}g} then, {now:.{digits}g} now"


def joined(parts: Sequence[str]) -> str:
    """Phrases in a sentence."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
