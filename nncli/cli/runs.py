"""`nncli runs` on the command line."""

from __future__ import annotations

from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated

import typer

from nncli.cli.options import AsJson, DisplayOptions

if TYPE_CHECKING:
    from nncli.runs.listing import RunInfo

HEAD = ["run", "status", "metric", "value", "training rows", "epochs", "started (UTC)", "took"]
DROPPABLE = (7, 5, 4, 6)
"""Columns that are left out on a narrow terminal, the first one first."""


def runs(
    *,
    folder: Annotated[
        Path, typer.Argument(help="The folder of the runs, searched two levels deep.", metavar="FOLDER")
    ] = Path("runs"),
    as_json: AsJson = False,
    display: DisplayOptions,
) -> None:
    """The newest run is last. The status is done, stopped (by Ctrl-C), failed, running, killed (the process is gone) or
    damaged, that of a trial of a search also pruned. The score is the accuracy for classes (balanced_accuracy if a
    class is rare), the rmse for one number, the mean r2 for several numbers; for trials the metric of their search.
    Columns that do not fit the terminal are left out; --json has all.

    \b
    nncli runs
    nncli runs experiments --json | jq -r '.runs[] | select(.status == "done") | .path'
    """
    import json

    from nncli.cli.console import echo_err, interrupt_at_once
    from nncli.runs.listing import list_runs

    interrupt_at_once()
    runs = list_runs(folder)
    if as_json:
        typer.echo(json.dumps({"folder": str(folder), "runs": [run.json() for run in runs]}))
    elif runs:
        _show(runs)
    if display.quiet:
        return
    for run in runs:
        if run.error:
            echo_err(f"note: {run.path}: {run.error}")
    if not runs:
        echo_err(f"no runs in {folder}\nnext: nncli train TABLE --target COLUMN")
    for line in _next(folder, runs):
        echo_err(f"next: {line}")


def _show(runs: tuple[RunInfo, ...]) -> None:
    """Print the table of runs."""
    from nncli.base.logs import format_duration
    from nncli.base.text import escape_unprintable
    from nncli.cli.console import format_number
    from nncli.cli.tables import one_line_table

    lines = [
        [
            escape_unprintable(str(run.path), keep=""),
            run.status,
            run.metric or "–",
            format_number(run.value),
            "–" if run.rows is None else f"{run.rows:,}",
            "–" if run.epochs is None else f"{run.epochs:,}",
            escape_unprintable((run.started or "–")[:16].replace("T", " "), keep=""),
            "–" if run.seconds is None else format_duration(run.seconds),
        ]
        for run in runs
    ]
    typer.echo(one_line_table([HEAD, *lines], DROPPABLE))


def _next(folder: Path, runs: tuple[RunInfo, ...]) -> list[str]:
    """Suggested commands: resume the newest incomplete run, compare the finished runs, or report the only one.

    For the trials of a search, those that resume or report it.
    """
    finished = [run for run in runs if run.kind in ("network", "ensemble") and run.status in ("done", "stopped")]
    incomplete = [run for run in runs if run.status in ("stopped", "killed")]
    searches = {run.search for run in runs}
    if len(searches) == 1 and (search := searches.pop()) is not None:
        return [f"nncli {'tune --resume' if incomplete else 'report'} {quote(str(search))}"]
    incomplete = [run for run in incomplete if run.search is None]
    lines = []
    if incomplete:
        command = {"cross-validation": "cross-validate", "search": "tune"}.get(incomplete[-1].kind, "train")
        lines.append(f"nncli {command} --resume {quote(str(incomplete[-1].path))}")
    if len(finished) > 1:
        lines.append(f"nncli compare {quote(str(folder))}")
    elif finished:
        lines.append(f"nncli report {quote(str(finished[-1].path))}")
    return lines
