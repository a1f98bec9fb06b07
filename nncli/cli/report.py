"""`nncli report` on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nncli.base.option import OUTPUT
from nncli.cli.options import AsJson, DisplayOptions, Force, RunDirectory, requires_extra


def report(
    *,
    run: RunDirectory,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            help="The HTML file to write. Default: report.html in RUN.",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    force: Force = False,
    as_json: AsJson = False,
    display: DisplayOptions,
) -> None:
    """The HTML file is self-contained. The model card, report.md, is written beside it. The training table is read
    again; if it is missing or has changed, the report says so and leaves out what depends on it. An earlier report in
    RUN is replaced. With --json, the content of the report is printed instead of its path.

    \b
    nncli report runs/penguins
    nncli report runs/penguins -o penguins.html
    nncli report runs/penguins --json | jq .scores
    """
    import json

    from nncli.cli.console import echo_err, interrupt_at_once, print_path

    interrupt_at_once()
    with requires_extra("report"):
        from nncli.api.report import report as write
    files = write(run, output, force=force)
    if as_json:
        typer.echo(json.dumps(files.json(), ensure_ascii=False).encode("utf-8", "surrogateescape"))
    else:
        print_path(files.html)
    if not display.quiet:
        echo_err(f"next: open {files.html} in a browser")
