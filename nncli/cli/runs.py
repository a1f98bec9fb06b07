"""`nncli runs` on the command line."""

from __future__ import annotations

from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated

import typer

from nncli.cli.options import AsJson, NoColor, Quiet, Verbose

if TYPE_CHECKING:
    from nncli.commands.runs import RunInfo

HEAD = ["run", "status", "metric", "value", "training rows", "epochs", "started (UTC)", "took"]


def runs(
    folder: Annotated[
        Path, typer.Argument(help="The folder that the runs are in, and folders of it.", metavar="FOLDER")
    ] = Path("runs"),
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    no_color: NoColor = False,
) -> None:
    """List the runs in FOLDER, the newest last: how each ended, and its score on validation rows.

    A run is done, stopped (by Ctrl-C), failed, running, killed (it says that it runs, and no process does), or
    damaged. The score is the accuracy of classes, the rmse of a number, the mean r2 of several.

    \b
    nncli runs
    nncli runs experiments --json | jq -r '.runs[] | select(.status == "done") | .path'
    """
    import json

    from nncli.cli.console import echo_err
    from nncli.cli.signals import interrupt_at_once
    from nncli.commands.runs import list_runs

    interrupt_at_once()
    found = list_runs(folder)
    if as_json:
        typer.echo(json.dumps({"folder": str(folder), "runs": [run.json() for run in found]}))
    elif found:
        _show(found)
    if quiet:
        return
    for run in found:
        if run.trouble:
            echo_err(f"note: {run.path}: {run.trouble}")
    if not found:
        echo_err(f"no run is in {folder}\nnext: nncli train TABLE --target COLUMN")
    for line in _next(folder, found):
        echo_err(f"next: {line}")


def _show(found: tuple[RunInfo, ...]) -> None:
    """A table on stdout."""
    from nncli.cli.console import number
    from nncli.cli.tables import table
    from nncli.text import escape_unprintable
    from nncli.utils.logs import format_duration

    lines = [
        [
            escape_unprintable(str(run.path), keep=""),
            run.status,
            run.metric or "–",
            number(run.value),
            "–" if run.rows is None else f"{run.rows:,}",
            "–" if run.epochs is None else f"{run.epochs:,}",
            escape_unprintable((run.started or "–")[:16].replace("T", " "), keep=""),
            "–" if run.seconds is None else format_duration(run.seconds),
        ]
        for run in found
    ]
    typer.echo(table([HEAD, *lines]))


def _next(folder: Path, found: tuple[RunInfo, ...]) -> list[str]:
    """What to do with them: go on with the newest that was broken off, compare them, or look at the one."""
    ended = [run for run in found if run.kind != "cross-validation" and run.status in ("done", "stopped")]
    broken = [run for run in found if run.status in ("stopped", "killed")]
    lines = []
    if broken:
        command = "cross-validate" if broken[-1].kind == "cross-validation" else "train"
        lines.append(f"nncli {command} --resume {quote(str(broken[-1].path))}")
    if len(ended) > 1:
        lines.append(f"nncli compare {quote(str(folder))}")
    elif ended:
        lines.append(f"nncli report {quote(str(ended[-1].path))}")
    return lines
