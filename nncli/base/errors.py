"""The exceptions of nncli, with locations, advice and exit codes.

    NncliError            exit code 1: the work failed (the disk is full, the loss is not a number)
    ├── UsageError                  2: the command line is wrong
    ├── ConfigError                 3: the configuration is wrong; holds all issues, each with its location
    ├── DataError                   4: a table cannot be read, or does not fit the configuration or the model
    └── RunError                    5: a run directory is missing, damaged or from a newer version

The message says what is wrong, `location` where, and `hint` how to fix it. nncli/cli/app.py shows all errors. What a
person types differs between a terminal, Python and HTTP, so a message or hint that names it is an `Advice`.
"""

from __future__ import annotations

import errno
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from os import PathLike
from typing import ClassVar, TypeAlias

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


@dataclass(frozen=True)
class SetKey:
    """Set a dotted key of the configuration to a value as YAML spells it; without one, the key alone is named.

    It is worded as an assignment, which works beside a file and for a table that is trained without one.
    """

    key: str
    value: str | None = None


@dataclass(frozen=True)
class UseOption:
    """Use an option of an operation, with a value if there is one; `Options.use` makes it.

    `field` is the keyword in Python, `name` that of a parameter of an address, if it `is_parameter`; the option of the
    command line is made from it, where a `placeholder` stands for a value that only it needs, or that it spells
    otherwise.
    """

    field: str
    name: str
    value: object = None
    is_parameter: bool = False
    placeholder: str | None = None
    short: str | None = None


def output_to(value: object = None, placeholder: str | None = None) -> UseOption:
    """The action of naming an output, which has a short option."""
    return UseOption("output", "output", value, placeholder=placeholder, short="-o")


@dataclass(frozen=True)
class InstallExtra:
    """Install what an extra of the package needs."""

    extra: str


@dataclass(frozen=True)
class ResumeRun:
    """Continue the training of a run, or another `operation` in its directory, perhaps with other settings."""

    path: str | PathLike[str]
    settings: tuple[SetKey | UseOption, ...] = ()
    operation: str = "train"


@dataclass(frozen=True)
class RunCommand:
    """Run an operation with arguments, each a name or what stands for one, such as TABLE, and options."""

    operation: str
    arguments: tuple[str, ...]
    options: tuple[SetKey | UseOption, ...] = ()


@dataclass(frozen=True)
class NameAsText:
    """Say that a table is text, whose name or type says that it is of another format."""


Action: TypeAlias = SetKey | UseOption | InstallExtra | ResumeRun | RunCommand | NameAsText
"""What a person can do about a mistake."""
Surface: TypeAlias = Callable[[Action], str | None]
"""Words an action for who reads it; None if that person cannot do it."""


def in_terminal(action: Action) -> str:
    """An action as who uses the command line does it."""
    match action:
        case SetKey(key, None):
            return key
        case SetKey(key, value):
            return f"--set {shlex.quote(f'{key}={value}')}"
        case UseOption(_, name, value, _, placeholder, short):
            flag = short or f"--{'no-' if value is False else ''}{name.replace('_', '-')}"
            given = None if value is None or isinstance(value, bool) else shlex.quote(str(value))
            argument = placeholder or given
            return f"{flag} {argument}" if argument else flag
        case InstallExtra(extra):
            return f"pip install 'nncli-train[{extra}]'"
        case ResumeRun(path, settings, operation):
            words = (operation, "--resume", shlex.quote(str(path)), *map(in_terminal, settings))
            return f"nncli {' '.join(words)}"
        case RunCommand(operation, arguments, options):
            return f"nncli {' '.join((operation, *map(shlex.quote, arguments), *map(in_terminal, options)))}"
        case NameAsText():
            return "name it .csv, .tsv or .jsonl, or set its format"


def in_python(action: Action) -> str:
    """An action as who calls the functions does it."""
    match action:
        case UseOption(field, _, value):
            return field if value is None else f"{field}={value!r}"
        case ResumeRun(path, settings, operation):
            return _call(operation, f"resume={str(path)!r}", *map(in_python, settings))
        case RunCommand(operation, arguments, options):
            names = (word if word.isupper() else repr(word) for word in arguments)
            return _call(operation, *names, *map(in_python, options))
        case SetKey(key, value) if value is not None:
            return f"set={f'{key}={value}'!r}"
    return in_terminal(action)


def _call(operation: str, *arguments: str) -> str:
    return f"nncli.{operation.replace('-', '_')}({', '.join(arguments)})"


class Advice(str):
    """A text with actions in it. As a str it is what a terminal shows, and `on` words it for others.

    A part that is an advice itself stands or falls alone.

    >>> more = Advice(" For another format set ", SetKey("date_format", "'%d/%m/%Y'"), ".")
    >>> Advice("Correct the cell.", more).on(lambda action: None)
    'Correct the cell.'
    """

    parts: tuple[str | Action, ...]

    def __new__(cls, *parts: str | Action) -> Advice:
        """An advice of these parts, which follow each other without a space."""
        advice = super().__new__(cls, "".join(part if isinstance(part, str) else in_terminal(part) for part in parts))
        advice.parts = parts
        return advice

    def spelled(self, surface: Surface) -> Advice:
        """The same advice, whose text as a str is that for another surface."""
        advice = super().__new__(type(self), self.on(surface))
        advice.parts = self.parts
        return advice

    def on(self, surface: Surface) -> str:
        """The text for a surface; empty if one of its actions cannot be done there."""
        words = [worded(part, surface) if isinstance(part, str) else surface(part) for part in self.parts]
        return "" if None in words else "".join(filter(None, words))


def without_resuming(text: str | None) -> str | None:
    """A text without advice to resume a run, for work that is not resumed; None if nothing is left."""
    if not isinstance(text, Advice):
        return text
    if any(isinstance(part, ResumeRun) for part in text.parts):
        return None
    parts = (without_resuming(part) if isinstance(part, str) else part for part in text.parts)
    return Advice(*(part for part in parts if part))


def sentences(*texts: str | None) -> Advice:
    """An advice of several, each of which stands or falls alone."""
    first, *others = [text for text in texts if text] or [""]
    spaced = (text.parts if isinstance(text, Advice) else (text,) for text in others)
    return Advice(first, *(Advice(" ", *parts) for parts in spaced))


def worded(text: str, surface: Surface) -> str:
    """A text for a surface: any is the same everywhere that is no advice."""
    return text.on(surface) if isinstance(text, Advice) else text


class NncliError(Exception):
    """Base class of all errors of nncli. No part of one has what looks like a password in an address."""

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, location: Location | None = None, hint: str | None = None) -> None:
        self.message = redacted(message)
        super().__init__(self.message)
        self.location = location
        self.hint = None if hint is None else redacted(hint)

    def __str__(self) -> str:
        return self.on(in_python)

    def on(self, surface: Surface) -> str:
        """The error with its location and hint, for a surface."""
        message, hint = worded(self.message, surface), worded(self.hint or "", surface)
        text = f"{self.location}: {message}" if self.location and str(self.location) else message
        return f"{text}\n  {hint}" if hint else text


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
        return self.on(in_python)

    def on(self, surface: Surface) -> str:
        """The issue with its location, excerpt and hint, for a surface."""
        message, hint = worded(self.message, surface), worded(self.hint or "", surface)
        text = f"{self.location}: {message}" if str(self.location) else message
        if self.excerpt:
            text += "".join(f"\n    {line}" for line in self.excerpt.split("\n"))
        return f"{text}\n  {hint}" if hint else text


class ConfigError(NncliError):
    """The configuration is wrong. `issues` holds all that was found, in the order of the file."""

    exit_code = 3

    def __init__(self, *issues: ConfigIssue) -> None:
        first = issues[0]
        super().__init__(first.message, location=first.location, hint=first.hint)
        self.args = issues  # for pickling between processes
        self.issues = issues

    def on(self, surface: Surface) -> str:
        """All issues, one below the other."""
        return "\n".join(issue.on(surface) for issue in self.issues)


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
        hint = sentences(self.model_hint, more)
        return CellError(self.message, location=self.location, hint=hint, model_hint=self.model_hint)


class RunError(NncliError):
    """A run directory is missing, damaged, or written by a newer version.

    `is_changed_file` says that a file is not the one that was written, by its checksum.
    """

    exit_code = 5
    is_changed_file = False


class RunLockedError(RunError):
    """Another training is writing the run directory."""


def config_error(key: str, message: str, hint: str) -> ConfigError:
    """A ConfigError about one key, found only after reading the table."""
    return ConfigError(ConfigIssue(message, Location(key=key), hint))


@contextmanager
def extra_required(extra: str, message: str, location: Location | None = None) -> Iterator[None]:
    """Raise a UsageError with the command that installs an extra if the block cannot import what it needs."""
    try:
        yield
    except ImportError as error:
        raise UsageError(message, location=location, hint=Advice(InstallExtra(extra))) from error
