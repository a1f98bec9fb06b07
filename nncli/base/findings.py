"""Findings about a training: errors, warnings and notes, each with a code, a location and a hint."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any, Literal, TypeAlias

from nncli.base.credentials import redacted
from nncli.base.errors import ConfigError, DataError, Location, NncliError, Surface, in_python, in_terminal, worded
from nncli.base.text import quote

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
    TABLE_READING = "table-reading", "How a table was read."
    ALREADY_FINISHED = "already-finished", "A training that is resumed had finished."
    DECISION_REMOVED = "decision-removed", "A training that is resumed removes the saved decision."
    TIME_LIMIT = "time-limit", "What a time limit changed."
    SEARCH = "search", "What a search of hyperparameters changes, and what it does not."
    EXECUTION = "execution", "How a training is computed."
    PRIVATE = "private", "What is removed from a private run, and what is not."
    TRACKING = "tracking", "The metrics of a training are not written to a tracker any more."
    AMBIGUOUS_NUMBERS = "ambiguous-numbers", "A column of numbers can be read in more than one way."
    INVALID_CELLS = "invalid-cells", "Cells of columns of numbers or dates are none, and are treated as missing."
    UNUSED_DATE_FORMAT = "unused-date-format", "No column of dates has the format that is set."
    AMBIGUOUS_DATES = "ambiguous-dates", "Day, month and year of a column of dates cannot be told apart."
    DATES_AS_CATEGORIES = (
        "dates-as-categories",
        "Most cells of a column look like dates, and are treated as categories.",
    )
    UNIT_REMOVED = "unit-removed", "A column is read as numbers without their unit."
    SIMILAR_CATEGORIES = "similar-categories", "Categories of a column seem to mean the same."
    MISSING_VALUES = "missing-values", "Columns have missing cells."
    DROPPED_COLUMN = "dropped-column", "A drafted configuration does not use a column."
    NEARLY_EMPTY_COLUMN = "nearly-empty-column", "At least 95 % of a column's cells are missing."
    SELECTED_FEATURES = "selected-features", "The network uses only the features that tell most about the target."
    EMPTY_COLUMN = "empty-column", "A column has no value in any row."
    CONSTANT_COLUMN = "constant-column", "A column has the same value in every row."
    DUPLICATE_COLUMN = "duplicate-column", "A column is equal to another one in every row."
    ID_LIKE_COLUMN = "id-like-column", "A column has a different value in all or nearly all rows."
    GROUP_LIKE_COLUMN = "group-like-column", "A column named like a key groups rows; the split ignores it."
    OUTLIER = "outlier", "A few values lie far from all others of their column."
    SENTINEL_VALUE = "sentinel-value", "A value such as 999 may stand for a missing number."
    TARGET_LEAKAGE = "target-leakage", "One column alone predicts the target nearly perfectly."
    TRAIN_VALIDATION_OVERLAP = "train-validation-overlap", "Validation or out-of-fold rows are equal to training rows."
    DUPLICATE_ROWS = "duplicate-rows", "Training rows are equal to earlier ones."
    CONFLICTING_TARGETS = "conflicting-targets", "Rows with equal features have different targets."
    TARGET_AS_LABELS = "target-as-labels", "The target is several labels."
    CONSTANT_TARGET = "constant-target", "The target has the same value in every row."
    AMOUNT_LIKE_TARGET = "amount-like-target", "The target looks like counts or amounts, and the loss is not for such."
    TARGET_AS_AMOUNT = "target-as-amount", "The target has an exposure, so its loss is that of counts or amounts."
    TARGET_AS_CLASS = "target-as-class", "Whole numbers of the target are read as class labels."
    ORDERED_TARGET = "ordered-target", "The classes of the target have an order, which its loss does not learn."
    CLASS_ORDER = "class-order", "The order in which the classes of the target are learned."
    TARGET_OF_DATES = "target-of-dates", "Each date of the target is treated as a class."
    TARGET_AS_NUMBER = "target-as-number", "A target of few whole numbers is predicted as a number."
    TARGET_WITH_EVENT = (
        "target-with-event",
        "A time or an event is predicted by itself, with the other one as a feature.",
    )
    UNSUPPORTED_KIND = "unsupported-kind", "A target or a column is of a kind that nncli does not have."
    RARE_CLASS = "rare-class", "A class has few rows."
    POSITIVE_CLASS = "positive-class", "The positive class of two is the second one in order, or the word for yes."
    CLASS_IMBALANCE = "class-imbalance", "One class is much rarer than another."
    UNREACHABLE_TARGET = "unreachable-target", "Targets lie outside the range of output_activation."
    TIME_FEATURE = "time-feature", "The column by which rows are split in time is also a feature."
    GROUPS_SPLIT_IN_TIME = "groups-split-in-time", "Rows are split in time, so groups have rows on both sides."
    RANDOM_SPLIT = "random-split", "Rows with dates are split at random."
    BATCH_SIZE = "batch-size", "A batch is larger than the training set."
    NO_VALIDATION = "no-validation", "There are no validation rows."
    FEW_ROWS = "few-rows", "There are too few rows to train and validate."
    FEW_VALIDATION_ROWS = "few-validation-rows", "There are too few validation rows for reliable scores."
    MEMORY = "memory", "The training needs more memory than is free."
    SHRUNKEN_OUTPUTS = "shrunken-outputs", "The outputs of an ensemble are moved towards a constant prediction."
    CLASS_NEVER_PREDICTED = "class-never-predicted", "The trained model never predicts a class of the scored rows."
    NO_BETTER_THAN_BASELINE = "no-better-than-baseline", "No score of the trained model is better than the baseline's."
    WORSE_THAN_BASELINE = "worse-than-baseline", "A score of the trained model is clearly worse than the baseline's."
    DIVERGENCE = "divergence", "The training diverges within a few steps."
    LEARNING_RATE_TOO_HIGH = "learning-rate-too-high", "The training diverged, or its steps are too large."
    LEARNING_RATE_TOO_LOW = "learning-rate-too-low", "The steps of the training are too small."
    UNSCALED_INPUTS = "unscaled-inputs", "The network gets features that are not scaled."
    UNSCALED_TARGET = "unscaled-target", "The network learns a target that is not scaled."
    STRONG_PENALTY = "strong-penalty", "A penalty has shrunk the weights to nearly nothing."
    EQUAL_UNITS = "equal-units", "The units of a layer begin with the same weights, and stay equal."
    EXPLODING_GRADIENTS = "exploding-gradients", "Gradients or layers have values of hundreds."
    VANISHING_GRADIENTS = "vanishing-gradients", "The first layers get hardly any gradient."
    SATURATED_UNITS = "saturated-units", "Most values of a layer are where its activation is flat."
    DEAD_UNITS = "dead-units", "Many units of a layer pass no gradient on in any row."
    INITIAL_LOSS = "initial-loss", "The loss before the first step is far above that of the best constant."
    FEW_ROWS_DOMINATE = "few-rows-dominate", "A few rows have most of the gradient."
    UNDERFITTING = "underfitting", "The network predicts the training rows worse than their neighbors do."
    OVERFITTING = "overfitting", "The validation loss rises while the training loss falls."
    PLATEAU = "plateau", "The training loss stays the same for many epochs before it falls."
    TOO_FEW_EPOCHS = "too-few-epochs", "The training ends while the loss still falls."
    BATCH_NOISE = "batch-noise", "The gradients of single batches differ far more than their mean."
    LOSS_NOT_DECREASING = "loss-not-decreasing", "A few steps on one batch do not decrease its loss."


@dataclass(frozen=True)
class Finding:
    """A finding about a table, a configuration or a training.

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

    def __post_init__(self) -> None:
        object.__setattr__(self, "message", redacted(self.message))
        object.__setattr__(self, "hint", redacted(self.hint))

    @property
    def exit_code(self) -> int:
        """The exit code of the error that the finding stands for; 0 for warnings and notes."""
        if self.level != "error":
            return 0
        return ConfigError.exit_code if self.code == FindingCode.CONFIGURATION else DataError.exit_code

    def __str__(self) -> str:
        return self.on(in_python)

    def on(self, surface: Surface) -> str:
        """The finding with its location, excerpt and hint, for a surface."""
        message, hint = worded(self.message, surface), worded(self.hint, surface)
        column = self.location.column
        is_named = self.location.source is None and column is not None and quote(column) in self.message
        location = str(replace(self.location, column=None) if is_named else self.location)
        lines = [f"{self.level}: {location}{': ' if location else ''}{message}"]
        lines += [f"    {line}" for line in (self.excerpt or "").splitlines()]
        return "\n".join([*lines, *[f"  {hint}"] * bool(hint)])

    @property
    def line(self) -> str:
        """The finding on one line of a terminal, without its level."""
        return self.on_one_line(in_terminal)

    def on_one_line(self, surface: Surface) -> str:
        """The finding without its level: its column unless the message names it, message and hint."""
        column = self.location.column
        about = "" if column is None or quote(column) in self.message else f"column {quote(column)}: "
        sentence, hint = f"{about}{worded(self.message, surface)}", worded(self.hint, surface)
        return f"{sentence}{'' if sentence.endswith('?') else '.'} {hint}" if hint else sentence

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


def note(code: FindingCode, message: str, *, column: str | None = None, hint: str = "") -> Finding:
    """A note, about a column if one is given."""
    return Finding("note", code, Location(column=column), message, hint)


def warning(code: FindingCode, message: str, *, column: str | None = None, hint: str = "") -> Finding:
    """A warning, about a column if one is given."""
    return Finding("warning", code, Location(column=column), message, hint)


def keeps_rows(what: str) -> Finding:
    """A note on `private` for a directory of several trainings, such as a search."""
    message = f"the directory of this {what} keeps rows and paths, which its trainings need"
    hint = "Share a run: `nncli train` with its config.yaml, or best.yaml of a search, trains a private one"
    return note(FindingCode.PRIVATE, message, hint=hint)


def of_json(document: Mapping[str, Any]) -> Finding:
    """The finding of a JSON object made by `as_json`.

    Raises:
        KeyError, TypeError: it is no such object.
    """
    return Finding(
        document["level"],
        {code.value: code for code in FindingCode}[document["code"]],
        Location(**document["location"]),
        document["message"],
        document["hint"],
        document.get("excerpt"),
    )


def warnings_json(findings: Iterable[Finding]) -> list[dict[str, Any]]:
    """The warnings among the findings as JSON objects."""
    return [finding.as_json for finding in findings if finding.level == "warning"]


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
