"""Hints for options that do not exist but are keys of the configuration."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def key_hint(error: Any, arguments: Sequence[str]) -> str | None:
    """The option `--set key=value` for an unknown option of the `arguments` that is named like a key.

    `error` is Typer's usage error. None if it is about something else, or if the command has no --set.
    """
    import shlex

    name = getattr(error, "option_name", None)
    if type(error).__name__ != "NoSuchOption" or name is None or not _takes_assignments(error):
        return None
    key = _key(name.lstrip("-").replace("-", "_"), has_similar_option=bool(error.possibilities))
    if key is None:
        return None
    return f"Did you mean --set {shlex.quote(f'{key}={_value(name, arguments)}')}?"


def _takes_assignments(error: Any) -> bool:
    return error.ctx is not None and any(parameter.name == "assignments" for parameter in error.ctx.command.params)


def _key(name: str, *, has_similar_option: bool) -> str | None:
    """The key of that name; of `data` without its section, or spelled nearly so unless an option is."""
    from nncli.base.text import closest_match
    from nncli.config.schema import Config, DataSection

    first, _, rest = name.partition(".")
    if first in Config.model_fields:
        return name
    if not rest and first in DataSection.model_fields:
        return f"data.{first}"
    similar = None if has_similar_option else closest_match(first, Config.model_fields)
    return f"{similar}.{rest}" if similar and rest else similar


def _value(name: str, arguments: Sequence[str]) -> str:
    """The value that was given to the option, or VALUE."""
    for i, argument in enumerate(arguments):
        option, has_value, value = argument.partition("=")
        if option == name and has_value:
            return value
        if option == name and i + 1 < len(arguments) and not arguments[i + 1].startswith("--"):
            return arguments[i + 1]
    return "VALUE"
