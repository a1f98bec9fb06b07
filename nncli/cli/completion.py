"""Shell completion of configurations, run directories, and keys and values of `--set`.

A shell appends a space to a single candidate. So folders are completed together with their contents, keys with values.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator, MutableMapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from typer.core import TyperCommand

from nncli.base.option import (
    ACCESS,
    ADDRESS,
    ADVANCED,
    DISPLAY,
    GOAL,
    INPUT,
    LIMITS,
    OUTPUT,
    SEARCH,
    TRAINING,
    UNCERTAINTY,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

BEFORE_VARIABLE = "_NNCLI_BEFORE"
"""The environment variable of the text before the `=` at which bash splits a word."""
RECORDS = ("manifest.json", "cross-validation.json")
"""The files that a run directory, or that of a cross-validation, has one of."""
SEARCH_RECORD = "tune.json"
"""The file that the directory of a search has."""
RUNS = "runs"
MAX_DEPTH = 3
MAX_FOLDERS = 500


def complete_run(incomplete: str) -> list[str]:
    """Complete a run directory: in ./runs and the working directory, or at the typed path."""
    return [folder for folder in _candidates(incomplete) if _is_run(folder)]


def complete_search(incomplete: str) -> list[str]:
    """Complete the directory of a search, in the same places."""
    return [folder for folder in _candidates(incomplete) if Path(folder, SEARCH_RECORD).is_file()]


def _candidates(incomplete: str) -> dict[str, None]:
    """The folders at the typed path, or in ./runs and the working directory."""
    return dict.fromkeys(_folders(incomplete) if incomplete else [*_folders(f"{RUNS}/"), *_folders("", 1)])


def complete_config(incomplete: str) -> list[str]:
    """Complete a YAML file."""
    base = incomplete.rpartition("/")[0]
    folders = [base, *_folders(incomplete)]
    files = (name for folder in folders for name in _list_folder(folder, of_files=True))
    return [name for name in files if name.startswith(incomplete) and name.endswith((".yaml", ".yml"))]


def complete_assignment(incomplete: str) -> list[str]:
    """Complete a key or a value of a configuration."""
    from nncli.config.schema_file import complete_assignment

    before = os.environ.get(BEFORE_VARIABLE, "")
    return [word.removeprefix(before) for word in complete_assignment(before + incomplete)]


def complete_key(incomplete: str) -> list[str]:
    """Complete the key of a search space; there is nothing to complete in its range."""
    if "=" in os.environ.get(BEFORE_VARIABLE, "") + incomplete:
        return []
    from nncli.config.schema_file import complete_assignment

    words = (word.partition("=") for word in complete_assignment(incomplete))
    return list(dict.fromkeys(key + equals for key, equals, _ in words))


def complete_metric(incomplete: str) -> list[str]:
    """Complete the name of a metric."""
    from nncli.targets.metrics.registry import METRICS

    return [name for name in METRICS if name.startswith(incomplete)]


def complete_tracker(incomplete: str) -> list[str]:
    """Complete the kind of a tracker."""
    from nncli.base import plugins

    return [name for name in plugins.names("trackers") if name.startswith(incomplete)]


def join_words(environment: MutableMapping[str, str]) -> None:
    """Join the three words into which bash splits `--set epochs=3`.

    Bash completes only the text after the last `=` of the current word; the text before it goes into BEFORE_VARIABLE.
    """
    try:
        words, current = shlex.split(environment["COMP_WORDS"], posix=False), int(environment["COMP_CWORD"])
    except (KeyError, ValueError):
        return
    words = [*words[:current], words[current] if current < len(words) else ""]
    joined: list[str] = []
    for word in words:
        continues = word == "=" or (joined[-1:] and joined[-1].endswith("=") and not re.match("-[^0-9.]", word))
        if continues and len(joined) > 1:
            joined[-1] += word
        else:
            joined.append(word)
    if joined[-1].startswith("--") and "=" in joined[-1]:
        option, _, value = joined.pop().partition("=")
        joined += [option, value]
    before, equals, typed = joined[-1].rpartition("=")
    environment[BEFORE_VARIABLE] = before + equals
    environment["COMP_WORDS"] = " ".join([*joined[:-1], typed])
    environment["COMP_CWORD"] = str(len(joined) - 1)


def _folders(typed: str, max_depth: int = MAX_DEPTH) -> Iterator[str]:
    """Folders that start with the typed text, and their subfolders by level; none in a run."""
    base, name = os.path.split(typed)
    level = [folder for folder in _list_folder(base) if Path(folder).name.startswith(name)]
    for depth in range(max_depth):
        yield from level[:MAX_FOLDERS]
        within = (folder for folder in level[:MAX_FOLDERS] if not _is_run(folder))
        level = [inner for folder in within for inner in _list_folder(folder)] if depth < max_depth - 1 else []


def _is_run(folder: str) -> bool:
    return any(Path(folder, name).is_file() for name in RECORDS)


def _list_folder(folder: str, *, of_files: bool = False) -> list[str]:
    """The paths of the folders, or the files, in `folder`, without hidden ones."""
    try:
        with os.scandir(folder or ".") as entries:
            names = [entry.name for entry in entries if entry.is_file() == of_files and not entry.name.startswith(".")]
    except OSError:
        return []
    return [os.path.join(folder, name) for name in sorted(names)]  # noqa: PTH118 - keeps the path as typed


PANELS = ("Arguments", INPUT, SEARCH, TRAINING, GOAL, UNCERTAINTY, ADDRESS, LIMITS, ACCESS, OUTPUT, ADVANCED, DISPLAY)
"""Headings of a command's help, in their order."""


class GroupedHelpCommand(TyperCommand):
    """A command whose help groups its options by their `rich_help_panel`, in plain text."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write one section for each panel."""
        for title, parameters in option_groups(self.get_params(ctx)):
            with formatter.section(title):
                formatter.write_dl([_record(parameter, ctx) for parameter in parameters])

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """`RUN` for a required argument, `[TABLE]` for an optional one, instead of Typer's braces."""
        arguments = [p for p in self.get_params(ctx) if p.param_type_name == "argument"]
        names = [_argument_name(argument) for argument in arguments]
        return ["[OPTIONS]"] + [
            name if argument.required else f"[{name}]" for name, argument in zip(names, arguments, strict=True)
        ]


def _record(parameter: Any, ctx: Any) -> tuple[str, str]:
    """The name and the help of a parameter; an argument without its Python type."""
    name, text = parameter.get_help_record(ctx)
    return (_argument_name(parameter), text) if parameter.param_type_name == "argument" else (name, text)


def _argument_name(argument: Any) -> str:
    return f"{argument.metavar}..." if argument.nargs != 1 else str(argument.metavar)


def option_groups(parameters: Iterable[Any]) -> list[tuple[str, list[Any]]]:
    """The visible parameters by panel, in the order of PANELS; an option without a panel is one of Display."""
    groups: dict[str, list[Any]] = {title: [] for title in PANELS}
    for parameter in parameters:
        if getattr(parameter, "hidden", False):
            continue
        if parameter.param_type_name == "argument":
            groups["Arguments"].append(parameter)
        else:
            groups[getattr(parameter, "rich_help_panel", None) or DISPLAY].append(parameter)
    return [(title, members) for title, members in groups.items() if members]
