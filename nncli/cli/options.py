"""The options and arguments that commands share, each worded once."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from nncli.api.options import AssignmentOptions, QualityOptions
from nncli.base.option import DISPLAY, INPUT, OUTPUT, Option, Options
from nncli.cli.completion import complete_config, complete_run
from nncli.cli.source_options import SourceOptions


def _set_verbose(value: bool) -> None:
    """Also called with False: an earlier command of this process may have switched it on."""
    from nncli.cli.console import set_verbose

    set_verbose(value)


def _set_no_color(value: bool) -> None:
    if value:
        os.environ["NO_COLOR"] = "1"  # Rich's own switch


@dataclass(frozen=True, kw_only=True)
class TargetOptions(Options):
    """The targets of a table that is given instead of a configuration."""

    target: Annotated[
        Sequence[str],
        Option("The column to predict; CONFIG is then a table. Repeatable.", INPUT, short="-t", metavar="COLUMN"),
    ] = ()


@dataclass(frozen=True, kw_only=True)
class TrainingInputOptions(QualityOptions, SourceOptions, AssignmentOptions, TargetOptions):
    """What is trained: a configuration with changes, or a table."""


@dataclass(frozen=True, kw_only=True)
class TalkOptions(Options):
    """How much is printed on stderr."""

    quiet: Annotated[bool, Option("Print only errors and warnings on stderr.", DISPLAY, short="-q")] = False
    verbose: Annotated[
        bool,
        Option("Log each stage on stderr with its duration and memory.", DISPLAY, short="-v", callback=_set_verbose),
    ] = False


@dataclass(frozen=True, kw_only=True)
class ColorOptions(Options):
    """Whether the output has colors."""

    no_color: Annotated[
        bool, Option("Disable colors, like the variable NO_COLOR.", DISPLAY, callback=_set_no_color)
    ] = False


@dataclass(frozen=True, kw_only=True)
class DisplayOptions(ColorOptions, TalkOptions):
    """How a command prints."""


CONFIG_OR_TABLE = typer.Argument(
    help="A YAML file, or - for standard input; or a table, with --target.",
    metavar="CONFIG",
    autocompletion=complete_config,
)
ConfigOrTable: TypeAlias = Annotated[str | None, CONFIG_OR_TABLE]
RequiredConfigOrTable: TypeAlias = Annotated[str, CONFIG_OR_TABLE]
RunDirectory: TypeAlias = Annotated[
    Path,
    typer.Argument(
        help="A run directory made by `nncli train`.", metavar="RUN", show_default=False, autocompletion=complete_run
    ),
]
OutputFile: TypeAlias = Annotated[
    str,
    typer.Option(
        "-o",
        "--output",
        metavar="FILE",
        help="The file to write, or - for standard output.",
        rich_help_panel=OUTPUT,
    ),
]
Force: TypeAlias = Annotated[bool, typer.Option("--force", help="Replace an existing file.", rich_help_panel=OUTPUT)]
AsJson: TypeAlias = Annotated[
    bool, typer.Option("--json", help="Print the result as one JSON object.", rich_help_panel=OUTPUT)
]
JsonLines: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--json", help="Print events as JSON lines: the start, each epoch and the end.", rich_help_panel=OUTPUT
    ),
]
SearchLines: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--json", help="Print events as JSON lines: the start, each trial and the end.", rich_help_panel=OUTPUT
    ),
]
