"""`nncli init` on the command line."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from nncli.cli.address_limit import settle_within_limit
from nncli.cli.completion import complete_assignment
from nncli.cli.options import AsJson, Force, NoColor, QualityOfPreset, Quiet, Verbose


class Preset(StrEnum):
    """The settings to begin with."""

    TABULAR = "tabular"
    TEXTBOOK = "textbook"


def init(
    data: Annotated[str, typer.Argument(help="CSV (also .gz), TSV, Parquet or JSON lines.", metavar="DATA")],
    target: Annotated[
        list[str] | None,
        typer.Option(
            "-t", "--target", metavar="COLUMN", help="The column to predict. Repeatable, for several numbers."
        ),
    ] = None,
    output: Annotated[str, typer.Option("-o", "--output", help="The file to write, or - for stdout.")] = "-",
    preset: Annotated[
        Preset | None,
        typer.Option("--preset", help="tabular: measured to be good; textbook: a plain network. Default: tabular."),
    ] = None,
    quality: QualityOfPreset = None,
    assignments: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Write a key, as in --set epochs=20. Repeatable.",
            autocompletion=complete_assignment,
        ),
    ] = None,
    force: Force = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    no_color: NoColor = False,
) -> None:
    """Look at a table and write a configuration that trains on it, with what was found and decided in comments.

    Columns that carry nothing (a different value in every row, one value in all rows, no value) are listed to be left
    out, each with the reason. With --json, what was found of every column is printed, and the YAML within it.

    \b
    nncli init penguins.csv --target species -o config.yaml
    nncli init penguins.csv --target species --quality fast | nncli train -
    nncli init penguins.csv --target species --json | jq -r '.columns[] | .name + " " + .use'
    nncli init houses.csv.gz --target price --preset textbook --set data.separator=';' -o houses.yaml
    """
    settle_within_limit()
    import json
    import shlex

    from nncli.cli.console import echo_err
    from nncli.cli.signals import interrupt_at_once
    from nncli.cli.training_input import warn
    from nncli.commands.init import begin

    interrupt_at_once()
    begun = begin(
        data,
        target or [],
        preset=None if preset is None else preset.value,
        quality=None if quality is None else quality.value,
        assignments=assignments or [],
        output=None if output == "-" else output,
        force=force,
    )
    if not quiet:
        for note in begun.notes:
            echo_err(f"note: {note}")
    warn((*begun.reasons, *begun.doubts))
    if as_json:
        found = {**begun.json(), "output": None if output == "-" else output}
        typer.echo(json.dumps(found, ensure_ascii=False).encode("utf-8", "surrogateescape"))
    elif output == "-":
        typer.echo(begun.text.encode(), nl=False)
    if output != "-" and not quiet:
        echo_err(f"next: nncli train {shlex.quote(output)}")
