"""`nncli init` on the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from nncli.api.options import DraftOptions, InitOptions
from nncli.base.option import INPUT
from nncli.cli.options import AsJson, DisplayOptions, Force, OutputFile, SourceOptions

if TYPE_CHECKING:
    from nncli.api.init import InitResult


DataFile: TypeAlias = Annotated[
    str, typer.Argument(help="A table: a file, a folder, a pattern in quotes, a database or a URL.", metavar="DATA")
]
TargetColumns: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "-t",
        "--target",
        metavar="COLUMN",
        help="The column to predict. Repeatable for several numbers.",
        rich_help_panel=INPUT,
    ),
]


def init(
    *,
    data: DataFile,
    target: TargetColumns = None,
    place: SourceOptions,
    options: DraftOptions,
    output: OutputFile = "-",
    force: Force = False,
    as_json: AsJson = False,
    display: DisplayOptions,
) -> None:
    """Comments list the columns with their kinds and the reasons of each choice. Uninformative columns (a different
    value in every row, one value in all rows, no value) are dropped. With --json, the summary of every column is
    printed, and the YAML within it.

    \b
    nncli init penguins.csv --target species -o config.yaml
    nncli init penguins.csv --target species --quality fast | nncli train -
    nncli init penguins.csv --target species --json | jq -r '.columns[] | .name + " " + .use'
    nncli init houses.csv.gz --target price --preset textbook --set data.separator=';' -o houses.yaml
    """
    from nncli.api.init import draft_with
    from nncli.cli.console import interrupt_at_once

    interrupt_at_once()
    written = InitOptions(
        preset=options.preset,
        quality=options.quality,
        assignments=options.assignments,
        output=None if output == "-" else output,
        force=force,
    )
    result = draft_with(place.source(data), target or [], written)
    _print(result, output, as_json=as_json, quiet=display.quiet)


def _print(result: InitResult, output: str, *, as_json: bool, quiet: bool) -> None:
    """Print notes and warnings on stderr, and the YAML or the JSON on stdout."""
    import json
    import shlex

    from nncli.cli.console import echo_err
    from nncli.cli.findings import FindingPrinter

    FindingPrinter(quiet).show(result.findings)
    if as_json:
        document = {**result.json(), "output": None if output == "-" else output}
        typer.echo(json.dumps(document, ensure_ascii=False).encode("utf-8", "surrogateescape"))
    elif output == "-":
        typer.echo(result.text.encode(), nl=False)
    if output != "-" and not quiet:
        echo_err(f"next: nncli train {shlex.quote(output)}")
