"""Read a configuration from a file or the standard input: UTF-8, of bounded size, or a mistake that says what to do."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from nncli.config.yaml.document import Document
from nncli.config.yaml.parser import parse
from nncli.config.yaml.source_text import LARGEST_TEXT, LINE_BREAK, fault, position, too_large
from nncli.errors import ConfigError, ConfigIssue, Location
from nncli.text import closest_file, join_quoted, quote


def read(path: str | Path) -> Document:
    """Read a configuration from a file, or from standard input for "-". UTF-8, with or without a byte order mark.

    Raises:
        ConfigError: the file cannot be read, or what it holds cannot be parsed.
    """
    source = "<stdin>" if str(path) == "-" else str(path)
    _refuse_table(Path(path))
    try:
        if source == "<stdin>":
            data = sys.stdin.buffer.read(LARGEST_TEXT + 1)
        else:
            with Path(path).open("rb") as file:
                data = file.read(LARGEST_TEXT + 1)
    except (OSError, ValueError) as error:
        raise ConfigError(_unreadable(Path(path), error)) from None
    if len(data) > LARGEST_TEXT:
        raise too_large(source)
    try:
        return parse(data.decode("utf-8"), source)
    except UnicodeDecodeError as error:
        at = position(data[: error.start].decode("utf-8"), error.start)
        lines = LINE_BREAK.split(data.decode("utf-8", "backslashreplace"))
        message = f"the byte 0x{data[error.start]:02X} is not UTF-8"
        raise ConfigError(fault(message, source, lines, at, "Save the file with the encoding UTF-8.")) from None


def _refuse_table(path: Path) -> None:
    """Raise a ConfigError where a file is a table by its name: what is wrong with it as YAML helps nobody."""
    if path.suffix.lower() in (".yaml", ".yml", ".txt", "") or not path.is_file():
        return
    from nncli.data.io.formats import SUFFIXES, suffix_of  # seldom needed

    if suffix_of(path) in SUFFIXES:
        hint = f"To write one for it: nncli init {shlex.quote(str(path))} --target COLUMN -o config.yaml"
        raise ConfigError(ConfigIssue("this is a table, not a configuration", Location(str(path)), hint))


def _unreadable(path: Path, error: OSError | ValueError) -> ConfigIssue:
    """What is wrong with a file that could not be opened, and which one may have been meant."""
    place = Location(str(path))
    if isinstance(error, ValueError):
        return ConfigIssue("this is not a usable file name", place)
    folder = path if path.is_dir() else path.parent
    try:
        names = sorted(p.name for p in folder.iterdir() if p.suffix in (".yaml", ".yml"))
    except OSError:
        names = []
    if path.is_dir():
        message = "this is a folder, not a configuration"
    elif isinstance(error, FileNotFoundError):
        message = "there is no such file"
    else:
        return ConfigIssue(f"the file cannot be read: {error.strerror or error}", place)
    near = closest_file(path.name, names)
    if near:
        return ConfigIssue(message, place, f"Did you mean {quote(near)}?")
    return ConfigIssue(message, place, f"The configurations there are {join_quoted(names)}." if names else None)
