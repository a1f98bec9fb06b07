"""Read a configuration from a file or from standard input: UTF-8 of limited size."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from nncli.base.errors import ConfigError, ConfigIssue, Location
from nncli.base.text import closest_file, join_quoted, quote
from nncli.config.yaml.document import LINE_BREAK, MAX_TEXT_BYTES, Document, position, syntax_issue, too_large
from nncli.config.yaml.parser import parse


def read(path: str | Path) -> Document:
    """Read a configuration from a file, or from standard input for "-". UTF-8, with or without a byte order mark.

    Raises:
        ConfigError: the file cannot be read or parsed.
    """
    source = "<stdin>" if str(path) == "-" else str(path)
    _check_not_table(Path(path))
    try:
        if source == "<stdin>":
            data = sys.stdin.buffer.read(MAX_TEXT_BYTES + 1)
        else:
            with Path(path).open("rb") as file:
                data = file.read(MAX_TEXT_BYTES + 1)
    except (OSError, ValueError) as error:
        raise ConfigError(_unreadable(Path(path), error)) from None
    if len(data) > MAX_TEXT_BYTES:
        raise too_large(source)
    try:
        return parse(data.decode("utf-8"), source)
    except UnicodeDecodeError as error:
        start = position(data[: error.start].decode("utf-8"), error.start)
        lines = LINE_BREAK.split(data.decode("utf-8", "backslashreplace"))
        message = f"the byte 0x{data[error.start]:02X} is not UTF-8"
        raise ConfigError(syntax_issue(message, source, lines, start, "Save the file as UTF-8.")) from None


def _check_not_table(path: Path) -> None:
    """Raise a ConfigError if the file name is that of a table: YAML syntax errors would not help."""
    if path.suffix.lower() in (".yaml", ".yml", ".txt", "") or not path.is_file():
        return
    from nncli.data.formats.registry import SUFFIXES, ZIP, suffix_of  # rarely needed

    if suffix_of(path) in (*SUFFIXES, ZIP):
        hint = f"Write a configuration for it: nncli init {shlex.quote(str(path))} --target COLUMN -o config.yaml"
        raise ConfigError(ConfigIssue("this is a table, not a configuration", Location(str(path)), hint))


def _unreadable(path: Path, error: OSError | ValueError) -> ConfigIssue:
    """The issue of a file that cannot be opened, with the closest file name."""
    location = Location(str(path))
    if isinstance(error, ValueError):
        return ConfigIssue("this is not a valid file name", location)
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
        return ConfigIssue(f"the file cannot be read: {error.strerror or error}", location)
    closest = closest_file(path.name, names)
    if closest:
        return ConfigIssue(message, location, f"Did you mean {quote(closest)}?")
    return ConfigIssue(message, location, f"The folder has the configurations {join_quoted(names)}." if names else None)
