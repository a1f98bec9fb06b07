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
    """Write what a trained RUN learned, from what, and how far to trust it, as one HTML file.

    The file needs no network and no other file. A model card, report.md, is written beside it. The table that RUN was
    trained on is read again; where it is gone or has changed, the report says so and shows the rest. An earlier
    report in RUN is replaced. With --json, what the files say is printed too, instead of the path.

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
    written = write(run, output, force=force)
    if as_json:
        typer.echo(json.dumps(written.json(), ensure_ascii=False).encode("utf-8", "surrogateescape"))
    else:
        typer.echo(os.fsencode(written.html))
    if not quiet:
        echo_err(f"next: open {written.html} in a browser")


@contextmanager
def needing_extra() -> Iterator[None]:
    """While what draws and fills in pages is imported: NncliError if it is not installed."""
    from nncli.errors import NncliError

    try:
        yield
    except ModuleNotFoundError as error:
        if error.name not in ("jinja2", "matplotlib", "markupsafe"):
            raise
        raise NncliError(
            f"a report needs {error.name}, which is not installed", hint="pip install 'nncli-train[report]'"
        ) from error
