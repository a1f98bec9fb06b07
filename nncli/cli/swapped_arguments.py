"""The command that was meant by one whose arguments are in another order, or are those of another command."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

RUN, CONFIG, TABLE = "RUN", "CONFIG", "TABLE"


def corrected_command(command: Any, words: Sequence[str]) -> str | None:
    """The command line with its arguments in order; None if there is nothing to correct.

    `command` is that of Typer, and `words` are what follows its name.
    """
    declared = [p for p in command.params if p.param_type_name == "argument"]
    arguments, takes_any = [p.metavar or p.name for p in declared], any(p.nargs < 0 for p in declared)
    places = _places(command, words)
    if not arguments or not places:
        return None
    first, others = places[0], places[1:]
    name = f"nncli {command.name}"
    if arguments[0] == RUN and not _is_run(words[first]) and (takes_any or len(places) <= len(arguments)):
        run = next((place for place in others if _is_run(words[place])), None)
        if run is None:
            return None
        rest = [word for place, word in enumerate(words) if place != run]
        return f"{name} {shlex.join([words[run], *rest])}"
    if arguments[0] == CONFIG and others:
        config = next((place for place in places if _is_config(words[place])), None)
        table = next((place for place in places if place != config and _is_table(words[place])), None)
        if config is None or table is None:
            return None
        folder = Path(words[config]).parent
        path = words[table] if "://" in words[table] else os.path.relpath(words[table], folder)
        rest = [word for place, word in enumerate(words) if place not in (config, table)]
        return f"{name} {shlex.join([words[config], '--set', f'data.path={path}', *rest])}"
    if arguments[0] == CONFIG and _is_run(words[first]) and any("--resume" in p.opts for p in command.params):
        rest = [word for place, word in enumerate(words) if place != first]
        return f"{name} {shlex.join(['--resume', words[first], *rest])}"
    return None


def _places(command: Any, words: Sequence[str]) -> list[int]:
    """The positions of the words that are neither options nor their values."""
    flags = {opt: p.is_flag for p in command.params if p.param_type_name == "option" for opt in p.opts}
    places, is_value = list[int](), False
    for place, word in enumerate(words):
        if is_value:
            is_value = False
        elif word.startswith("-") and word != "-":
            is_value = "=" not in word and not flags.get(word, True)
        else:
            places.append(place)
    return places


def _is_run(word: str) -> bool:
    from nncli.run_directory.filenames import MANIFEST

    return os.path.isfile(os.path.join(word, MANIFEST))  # noqa: PTH113, PTH118 - Path raises when a name is too long


def _is_config(word: str) -> bool:
    from nncli.api.training_input import YAML_SUFFIXES

    return word.lower().endswith(YAML_SUFFIXES)


def _is_table(word: str) -> bool:
    from nncli.api.training_input import is_table

    return is_table(word, ())
