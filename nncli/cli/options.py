"""The options and arguments that commands share, each worded once."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from nncli.cli.completion import complete_assignment, complete_config, complete_run, complete_tracker
from nncli.cli.help import DISPLAY, INPUT, OUTPUT, TRAINING


class Quality(StrEnum):
    """Levels of the preset tabular: training time against accuracy."""

    FAST = "fast"
    BALANCED = "balanced"
    BEST = "best"


class OnError(StrEnum):
    """What happens to a cell that cannot be read: an error, a missing cell, or its row is left out."""

    FAIL = "fail"
    MISSING = "missing"
    SKIP = "skip"


def _set_verbose(value: bool) -> None:
    """Also called with False: an earlier command of this process may have switched it on."""
    from nncli.cli.console import set_verbose

    set_verbose(value)


def _set_no_color(value: bool) -> None:
    if value:
        os.environ["NO_COLOR"] = "1"  # Rich's own switch


CONFIG_OR_TABLE = typer.Argument(
    help="A YAML file, or - for standard input; or a table, with --target.",
    metavar="CONFIG",
    autocompletion=complete_config,
)
ConfigOrTable: TypeAlias = Annotated[str | None, CONFIG_OR_TABLE]
RequiredConfigOrTable: TypeAlias = Annotated[str, CONFIG_OR_TABLE]
TargetOfTable: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "-t",
        "--target",
        metavar="COLUMN",
        help="The column to predict; CONFIG is then a table. Repeatable.",
        rich_help_panel=INPUT,
    ),
]
QualityOfPreset: TypeAlias = Annotated[
    Quality | None,
    typer.Option(
        "--quality",
        help="fast: an ensemble of 4, trained less; balanced: of up to 8 (default); best: of 20.",
        rich_help_panel=TRAINING,
    ),
]
RunDirectory: TypeAlias = Annotated[
    Path,
    typer.Argument(
        help="A run directory made by `nncli train`.", metavar="RUN", show_default=False, autocompletion=complete_run
    ),
]
Assignments: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Override a key, for example --set optimizer.type=adam. Repeatable.",
        autocompletion=complete_assignment,
        rich_help_panel=INPUT,
    ),
]
Scheduler: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--scheduler",
        metavar="ADDRESS",
        help="Train on a Dask cluster, for example tcp://host:8786.",
        rich_help_panel=TRAINING,
    ),
]
OnInvalidCell: TypeAlias = Annotated[
    OnError,
    typer.Option(
        "--on-error",
        help="A cell that cannot be read as a number or date: fail, treat it as missing, or skip its row.",
        rich_help_panel=INPUT,
    ),
]
ErrorsFile: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--errors",
        metavar="FILE",
        help="With --on-error missing or skip: write these cells to a CSV with row, column, value and reason.",
        rich_help_panel=OUTPUT,
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
Quiet: TypeAlias = Annotated[
    bool, typer.Option("-q", "--quiet", help="Print only errors and warnings on stderr.", rich_help_panel=DISPLAY)
]
Verbose: TypeAlias = Annotated[
    bool,
    typer.Option(
        "-v",
        "--verbose",
        callback=_set_verbose,
        help="Log each stage on stderr with its duration and memory.",
        rich_help_panel=DISPLAY,
    ),
]
Track: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--track",
        metavar="TRACKER",
        help="Also write the metrics to tensorboard[=DIR] or mlflow[=URI]. Repeatable.",
        autocompletion=complete_tracker,
        rich_help_panel=OUTPUT,
    ),
]
NoColor: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--no-color",
        callback=_set_no_color,
        help="Disable colors, like the variable NO_COLOR.",
        rich_help_panel=DISPLAY,
    ),
]
