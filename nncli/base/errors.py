"""The exceptions of nncli, with locations, hints and exit codes.

    NncliError            exit code 1: the work failed (the disk is full, the loss is not a number)
    ├── UsageError                  2: the command line is wrong
    ├── ConfigError                 3: the configuration is wrong; holds all issues, each with its location
    ├── DataError                   4: a table cannot be read, or does not fit the configuration or the model
    └── RunError                    5: a run directory is missing, damaged or from a newer version

The message says what is wrong, `location` where, and `hint` how to fix it. nncli/cli/app.py shows all errors.
"""

from __future__ import annotations

import errno
from dataclasses import dataclass, field
from typing import ClassVar

from nncli.base.credentials import redacted
from nncli.base.text import INVISIBLE_LETTERS, escape_unprintable, quote


@dataclass(frozen=True)
class Location:
    """The location of an error. Every part is optional.

    `line` and `character` count from 1 in a text file; `row` counts data rows of a table from 1 (the header
    is not a row); `column` is a column's name; `key` is a dotted configuration key. A source that looks like an address
    with a password is kept without it.
    """

    source: str | None = None
    line: int | None = None
    character: int | None = None
    key: str | None = None
    row: int | None = None
    column: str | None = None

    def __post_init__(self) -> None:
        if self.source is not None:
            object.__setattr__(self, "source", redacted(self.source))

    def __str__(self) -> str:
        position = [str(n) for n in (self.line, self.character) if n is not None]
        head = (
            ":".join([escape_unprintable(self.source or "input", keep=INVISIBLE_LETTERS), *position])
            if self.source or position
            else ""
        )
        parts = [
            head,
            f"row {self.row:,}" if self.row is not None else "",
            f"column {quote(self.column)}" if self.column is not None else "",
            escape_unprintable(self.key or "", keep=""),
        ]
        return ", ".join(part for part in parts if part)


class NncliError(Exception):
    """Base class of all errors of nncli. No part of one has what looks like a password in an address."""

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, location: Location | None = None, hint: str | None = None) -> None:
        self.message = redacted(message)
        super().__init__(self.message)
        self.location = location
        self.hint = None if hint is None else redacted(hint)

    def __str__(self) -> str:
        text = f"{self.location}: {self.message}" if self.location and str(self.location) else self.message
        return f"{text}\n  {self.hint}" if self.hint else text


OUT_OF_MEMORY_MESSAGES = (
    "Cannot allocate memory",
    "Resource temporarily unavailable",
    "can't start new thread",
    "WouldBlock",
    "OutOfMemory",
    "out of memory",
    "previously been poisoned",
)
"""Messages of errors for lack of memory or threads; the last is Polars' after its threads failed to start."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether `error`, or its cause, means that the system has no memory or threads left."""
    if isinstance(error, OSError):  # for files, EAGAIN has another meaning
        return error.errno == errno.ENOMEM
    if isinstance(error, MemoryError) or any(words in str(error) for words in OUT_OF_MEMORY_MESSAGES):
        return True
    return error.__cause__ is not None and is_out_of_memory(error.__cause__)


def reraise_out_of_memory(error: BaseException) -> None:
    """Raise a MemoryError if `error` means lack of memory, which says nothing about the data."""
    if is_out_of_memory(error):
        raise MemoryError(str(error)) from error


class UsageError(NncliError):
    """The command line is wrong: options that exclude each other, or a file that would be overwritten."""

    exit_code = 2


@dataclass(frozen=True)
class ConfigFix:
    """A change of a configuration that corrects a ConfigIssue: remove one key, then set another to a value."""

    path: tuple[str | int, ...]
    value: object
    remove: tuple[str | int, ...] | None = None


@dataclass(frozen=True)
class ConfigIssue:
    """One issue of a configuration.

    `excerpt` is the source line with a caret below it at the issue. `fix` is the change that the message or hint
    suggests; it is None if no valid change was found.
    """

    message: str
    location: Location
    hint: str | None = None
    excerpt: str | None = None
    fix: ConfigFix | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        for name in ("message", "hint", "excerpt"):
            text = getattr(self, name)
            object.__setattr__(self, name, None if text is None else redacted(text))

    def __str__(self) -> str:
        text = f"{self.location}: {self.message}" if str(self.location) else self.message
        if self.excerpt:
            text += "".join(f"\n    {line}" for line in self.excerpt.split("\n"))
        return f"{text}\n  {self.hint}" if self.hint else text


class ConfigError(NncliError):
    """The configuration is wrong. `issues` holds all that was found, in the order of the file."""

    exit_code = 3

    def __init__(self, *issues: ConfigIssue) -> None:
        first = issues[0]
        super().__init__(first.message, location=first.location, hint=first.hint)
        self.args = issues  # for pickling between processes
        self.issues = issues

    def __str__(self) -> str:
        return "\n".join(str(issue) for issue in self.issues)


class DataError(NncliError):
    """A table cannot be read, or does not fit the configuration or the model."""

    exit_code = 4


class CellError(DataError):
    """A cell cannot be read as the kind of its column.

    `hint` is for a training, `model_hint` for a trained model, whose configuration cannot be changed.
    """

    def __init__(
        self, message: str, *, location: Location | None = None, hint: str | None = None, model_hint: str | None = None
    ) -> None:
        super().__init__(message, location=location, hint=hint)
        self.model_hint = model_hint or hint

    def for_model(self, more: str = "") -> CellError:
        """The same error of a trained model, with `more` advice."""
        hint = " ".join(filter(None, [self.model_hint, more]))
        return CellError(self.message, location=self.location, hint=hint, model_hint=self.model_hint)


class RunError(NncliError):
    """A run directory is missing, damaged, or written by a newer version."""

    exit_code = 5


class RunLockedError(RunError):
    """Another training is writing the run directory."""


def config_error(key: str, message: str, hint: str) -> ConfigError:
    """A ConfigError about one key, found only after reading the table."""
    return ConfigError(ConfigIssue(message, Location(key=key), hint))
