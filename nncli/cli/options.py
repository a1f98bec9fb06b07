"""The options and arguments that commands share, each worded once."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from nncli.cli.completion import complete_assignment, complete_config, complete_run


class Quality(StrEnum):
    """How much work the preset tabular goes to."""

    FAST = "fast"
    BALANCED = "balanced"
    BEST = "best"


def _show_stages(wanted: bool) -> None:
    """Also when it is not wanted: a command that ran in this process before may have."""
    from nncli.cli.console import show_stages

    show_stages(wanted)


def _without_color(wanted: bool) -> None:
    if wanted:
        os.environ["NO_COLOR"] = "1"  # Rich's own switch


ConfigOrTable: TypeAlias = Annotated[
    str | None,
    typer.Argument(
        help="The YAML file, or - for the standard input; or a table, with --target.",
        metavar="CONFIG",
        autocompletion=complete_config,
    ),
]
TargetOfTable: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "-t", "--target", metavar="COLUMN", help="Take CONFIG for a table, to predict this column. Repeatable."
    ),
]
QualityOfPreset: TypeAlias = Annotated[
    Quality | None,
    typer.Option("--quality", help="Of the preset tabular: one network, eight that are averaged, or twenty."),
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
        help="Override a key, as in --set optimizer.type=adam. Repeatable.",
        autocompletion=complete_assignment,
    ),
]
Scheduler: TypeAlias = Annotated[
    str | None,
    typer.Option("--scheduler", metavar="ADDRESS", help="Train members on a Dask cluster, as in tcp://host:8786."),
]
Force: TypeAlias = Annotated[bool, typer.Option("--force", help="Replace a file that exists.")]
AsJson: TypeAlias = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
JsonLines: TypeAlias = Annotated[
    bool,
    typer.Option("--json", help="Print a JSON object a line instead: one for the start, every epoch and the end."),
]
Quiet: TypeAlias = Annotated[bool, typer.Option("-q", "--quiet", help="Say nothing on stderr but errors and warnings.")]
Verbose: TypeAlias = Annotated[
    bool,
    typer.Option(
        "-v",
        "--verbose",
        callback=_show_stages,
        help="Say on stderr what is done, how long each stage takes, and how much memory.",
    ),
]
NoColor: TypeAlias = Annotated[
    bool,
    typer.Option("--no-color", callback=_without_color, help="No colours; the variable NO_COLOR does the same."),
]
