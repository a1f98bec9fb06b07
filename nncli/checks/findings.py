"""Findings of a check: each has a level, a code, a location and a hint."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Literal, TypeAlias

from nncli.errors import ConfigError, DataError, Location, NncliError

Level: TypeAlias = Literal["error", "warning", "note"]
LEVELS: tuple[Level, ...] = ("error", "warning", "note")


class FindingCode(StrEnum):
    """The codes of findings, which stay the same between versions, each with its `description`."""

    description: str

    def __new__(cls, value: str, description: str) -> FindingCode:
        """A code with its description."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.description = description
        return member

    CONFIGURATION = "configuration", "The configuration is not valid."
    DATA = "data", "The table cannot be read or used."
    NOTE = "note", "A note that a training would print."
    AMBIGUOUS_NUMBERS = "ambiguous-numbers", "A column of numbers can be read in more than one way."
    MISSING_VALUES = "missing-values", "Columns have missing cells."
    NEARLY_EMPTY_COLUMN = "nearly-empty-column", "At least 95 % of a column's cells are missing."
    EMPTY_COLUMN = "empty-column", "A column has no value in any row."
    CONSTANT_COLUMN = "constant-column", "A column has the same value in every row."
    DUPLICATE_COLUMN = "duplicate-column", "A column is equal to another one in every row."
    ID_LIKE_COLUMN = "id-like-column", "A column has a different value in all or nearly all rows."
    GROUP_LIKE_COLUMN = "group-like-column", "A column named like a key groups rows; the split ignores it."
    OUTLIER = "outlier", "A few values lie far from all others of their column."
    SENTINEL_VALUE = "sentinel-value", "A value such as 999 may stand for a missing number."
    TARGET_LEAKAGE = "target-leakage", "One column alone predicts the target nearly perfectly."
    TRAIN_VALIDATION_OVERLAP = "train-validation-overlap", "Validation rows are equal to training rows."
    DUPLICATE_ROWS = "duplicate-rows", "Training rows are equal to earlier ones."
    CONFLICTING_TARGETS = "conflicting-targets", "Rows with equal features have different targets."
    CONSTANT_TARGET = "constant-target", "The target has the same value in every row."
    RARE_CLASS = "rare-class", "A class has few rows."
    CLASS_IMBALANCE = "class-imbalance", "One class is much rarer than another."
    UNREACHABLE_TARGET = "unreachable-target", "Targets lie outside the range of output_activation."
    BATCH_SIZE = "batch-size", "A batch is larger than the training set."
    NO_VALIDATION = "no-validation", "There are no validation rows."
    FEW_VALIDATION_ROWS = "few-validation-rows", "There are too few validation rows for reliable scores."
    MEMORY = "memory", "The training needs more memory than is free."
    DIVERGENCE = "divergence", "The training diverges within a few steps."
    LOSS_NOT_DECREASING = "loss-not-decreasing", "A few steps on one batch do not decrease its loss."


@dataclass(frozen=True)
class Finding:
    """A finding of a check.

    An error prevents a training, a warning is likely to harm its result, a note is good to know. `hint` says what to
    do; `excerpt` is the line of the configuration with a caret beneath it. The text may quote cells of a table:
    escape it before it is printed.
    """

    level: Level
    code: FindingCode
    location: Location
    message: str
    hint: str
    excerpt: str | None = None

    @property
    def exit_code(self) -> int:
        """The exit code of the error that the finding stands for; 0 for warnings and notes."""
        if self.level != "error":
            return 0
        return ConfigError.exit_code if self.code == FindingCode.CONFIGURATION else DataError.exit_code

    def __str__(self) -> str:
        location = f"{self.location}: " if str(self.location) else ""
        lines = [f"{self.level}: {location}{self.message}"]
        lines += [f"    {line}" for line in (self.excerpt or "").splitlines()]
        return "\n".join([*lines, *[f"  {self.hint}"] * bool(self.hint)])

    @property
    def as_json(self) -> dict[str, Any]:
        """The finding as a JSON object, without the parts of the location that are not known."""
        document = {
            "level": self.level,
            "code": self.code.value,
            "location": {part: value for part, value in asdict(self.location).items() if value is not None},
            "message": self.message,
            "hint": self.hint,
        }
        return document if self.excerpt is None else {**document, "excerpt": self.excerpt}


def of_error(error: NncliError) -> tuple[Finding, ...]:
    """An error as findings, one for each issue of a configuration."""
    if isinstance(error, ConfigError):
        code = FindingCode.CONFIGURATION
        return tuple(
            Finding("error", code, issue.location, issue.message, issue.hint or "", issue.excerpt)
            for issue in error.issues
        )
    return (Finding("error", FindingCode.DATA, error.location or Location(), error.message, error.hint or ""),)


def ordered(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The findings without duplicates: errors, then warnings, then notes."""
    return tuple(sorted(dict.fromkeys(findings), key=lambda finding: LEVELS.index(finding.level)))
