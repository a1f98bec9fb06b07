"""`nncli track` on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from nncli.base.option import OUTPUT
from nncli.cli.completion import complete_run, complete_tracker
from nncli.cli.options import AsJson, DisplayOptions

TrackedRuns: TypeAlias = Annotated[
    list[Path],
    typer.Argument(
        help="Directories of runs, cross-validations or searches.",
        metavar="RUN",
        show_default=False,
        autocompletion=complete_run,
    ),
]
To: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--to",
        metavar="TRACKER",
        help="tensorboard[=DIR] or mlflow[=URI]. Repeatable.",
        autocompletion=complete_tracker,
        rich_help_panel=OUTPUT,
    ),
]


def track(
    *,
    runs: TrackedRuns,
    to: To = None,
    as_json: AsJson = False,
    display: DisplayOptions,
) -> None:
    """The result is that of `nncli train --track`: the metrics of every epoch, parameters and final scores, with a
    child for every member of an ensemble, fold of a cross-validation and trial of a search. Nothing is written twice.

    Without DIR, TensorBoard's files go to the folder tensorboard beside the run. Without URI, the server is that of
    MLFLOW_TRACKING_URI; the experiment is that of MLFLOW_EXPERIMENT_NAME, or nncli.

    \b
    nncli track runs/penguins --to tensorboard
    nncli track runs/penguins runs/wide --to tensorboard=logs
    nncli track runs/penguins --to mlflow=http://127.0.0.1:5000
    nncli track runs/penguins-cv --to mlflow --json
    """
    import json

    from nncli.api.track import track as track_runs
    from nncli.cli.console import echo_err, interrupt_at_once

    interrupt_at_once()
    written = track_runs(*runs, to=to or [])
    if as_json:
        documents = [{"run": str(one.run), "tracker": one.tracker, "name": one.name} for one in written]
        typer.echo(json.dumps({"tracked": documents}, ensure_ascii=False).encode("utf-8", "backslashreplace"))
    elif not display.quiet:
        for one in written:
            echo_err(f"{one.run} is written to {one.tracker} as {one.name}")
