"""What a look at a configuration, a table or a network brought up: each with where it is and how to mend it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

from nncli.errors import ConfigError, DataError, Location, NncliError

Level: TypeAlias = Literal["error", "warning", "note"]
LEVELS: tuple[Level, ...] = ("error", "warning", "note")
CONFIGURATION, TABLE, NOTE = "configuration", "table", "note"
"""Codes of what was raised as a ConfigError or a DataError, and of what a training would note."""


@dataclass(frozen=True)
class Finding:
    """One thing found. `code` is short, stable, and the same for all findings of a kind.

    An error keeps a training from beginning; a warning is likely to spoil what comes of it; a note is good to know.
    `mend` says how to go on; `excerpt` is the line of the configuration with a caret beneath it, if there is one.
    Text may hold what stands in somebody's table: whoever shows it makes it printable.
    """

    level: Level
    code: str
    place: Location
    message: str
    hint: str
    excerpt: str | None = None

    @property
    def exit_code(self) -> int:
        """What a command ends with because of this alone: 0, or that of the error it stands for."""
        if self.level != "error":
            return 0
        return ConfigError.exit_code if self.code == CONFIGURATION else DataError.exit_code

    def __str__(self) -> str:
        where = f"{self.place}: " if str(self.place) else ""
        lines = [f"{self.level}: {where}{self.message}"]
        lines += [f"    {line}" for line in (self.excerpt or "").splitlines()]
        return "\n".join([*lines, *[f"  {self.hint}"] * bool(self.hint)])

    @property
    def as_json(self) -> dict[str, Any]:
        """As a JSON object; of the place, what is known."""
        place = {part: value for part, value in asdict(self.place).items() if value is not None}
        told = {"level": self.level, "code": self.code, "place": place, "message": self.message, "mend": self.hint}
        return told if self.excerpt is None else {**told, "excerpt": self.excerpt}


def of_error(error: NncliError) -> tuple[Finding, ...]:
    """An error as findings: one for each mistake of a configuration."""
    if isinstance(error, ConfigError):
        return tuple(
            Finding("error", CONFIGURATION, mistake.place, mistake.message, mistake.hint or "", mistake.excerpt)
            for mistake in error.issues
        )
    return (Finding("error", TABLE, error.location or Location(), error.message, error.hint or ""),)


def ordered(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Errors, then warnings, then notes, each in the order found; what was found twice is said once."""
    return tuple(sorted(dict.fromkeys(findings), key=lambda finding: LEVELS.index(finding.level)))
