"""`nncli init` on the command line."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from nncli.cli.help import INPUT, TRAINING
from nncli.cli.options import AsJson, Assignments, Force, NoColor, OutputFile, QualityOfPreset, Quiet, Verbose
from nncli.cli.source_options import CellRange, DatabaseTable, Query, Sheet, SourceOptions

if TYPE_CHECKING:
    from nncli.api.init import InitResult


class Preset(StrEnum):
    """The preset of the configuration."""

    TABULAR = "tabular"
    TEXTBOOK = "textbook"


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
PresetName: TypeAlias = Annotated[
    Preset | None,
    typer.Option(
        "--preset",
        help="tabular: the best in our benchmarks (default); textbook: a plain network.",
        rich_help_panel=TRAINING,
    ),
]


def init(
    data: DataFile,
    target: TargetColumns = None,
    sheet: Sheet = None,
    cells: CellRange = None,
    table_name: DatabaseTable = None,
    query: Query = None,
    preset: PresetName = None,
    quality: QualityOfPreset = None,
    assignments: Assignments = None,
    output: OutputFile = "-",
    force: Force = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    no_color: NoColor = False,
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
    from nncli.api.init import draft
    from nncli.cli.signals import interrupt_at_once

    interrupt_at_once()
    result = draft(
        SourceOptions(sheet, cells, table_name, query).source(data),
        target or [],
        preset=None if preset is None else preset.value,
        quality=None if quality is None else quality.value,
        assignments=assignments or [],
        output=None if output == "-" else output,
        force=force,
    )
    _print(result, output, as_json=as_json, quiet=quiet)


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
