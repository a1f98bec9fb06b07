"""`nncli report` on the command line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from nncli.cli.address_limit import settle_within_limit
from nncli.cli.options import AsJson, Force, NoColor, Quiet, RunDirectory, Verbose


def report(
    run: RunDirectory,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="The HTML file to write; default: report.html in RUN.")
    ] = None,
    force: Force = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    no_color: NoColor = False,
) -> None:
    """Write an HTML report on a trained RUN: scores, errors, feature importance, data, and learning curves.

    The report is one self-contained file. A model card, report.md, is written beside it. The training table is read
    again; if it is missing or has changed, the report contains the rest and a warning. An earlier report in RUN is
    replaced. --json prints the content of the report instead of its path.

    \b
    nncli report runs/penguins
    nncli report runs/penguins -o penguins.html
    nncli report runs/penguins --json | jq .scores
    """
    settle_within_limit()
    import json
    import os

    from nncli.cli.console import echo_err
    from nncli.cli.signals import interrupt_at_once

    interrupt_at_once()
    with needing_extra():
        from nncli.reporting.report import report as write
    files = write(run, output, force=force)
    if as_json:
        typer.echo(json.dumps(files.json(), ensure_ascii=False).encode("utf-8", "surrogateescape"))
    else:
        typer.echo(os.fsencode(files.html))
    if not quiet:
        echo_err(f"next: open {files.html} in a browser")


@contextmanager
def needing_extra() -> Iterator[None]:
    """Raise an NncliError if a package that reports need is not installed."""
    from nncli.errors import NncliError

    try:
        yield
    except ModuleNotFoundError as error:
        if error.name not in ("jinja2", "matplotlib", "markupsafe"):
            raise
        raise NncliError(
            f"a report needs {error.name}, which is not installed", hint="pip install 'nncli-train[report]'"
        ) from error
