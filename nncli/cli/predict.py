"""`nncli predict` on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nncli.cli.address_limit import settle_within_limit
from nncli.cli.options import Force, NoColor, Quiet, RunDirectory, Verbose
from nncli.data.io.formats import Format


def predict(
    run: RunDirectory,
    table: Annotated[
        str | None,
        typer.Argument(help="CSV, TSV, Parquet or JSON lines; default, or -: the standard input.", metavar="INPUT"),
    ] = None,
    output: Annotated[
        str, typer.Option("-o", "--output", help="The file to write, or - for the standard output.")
    ] = "-",
    proba: Annotated[bool, typer.Option("--proba", help="Add the probability of each class, as proba_CLASS.")] = False,
    keep: Annotated[
        list[str] | None,
        typer.Option("--keep", metavar="COLUMN", help="Copy a column of the input to the output. Repeatable."),
    ] = None,
    format: Annotated[  # noqa: A002 - the option's name
        Format | None, typer.Option("--format", help="Of the output; default: by its name, else CSV.")
    ] = None,
    force: Force = False,
    escape_formulas: Annotated[
        bool,
        typer.Option(
            "--escape-formulas",
            help="For spreadsheets: in CSV or TSV, put ' before text and names that begin like a formula, with "
            "= + - @, a tab or a line end. Plain numbers, such as -3, stay as they are.",
        ),
    ] = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    no_color: NoColor = False,
) -> None:
    """Predict every row of INPUT with a trained RUN: a row out for each row in, in order.

    INPUT needs the feature columns that the run was trained on; their order does not matter, other columns are
    ignored, and the target is not needed. A note at the end counts what INPUT holds and the training rows did not:
    categories never seen, numbers outside their range, cells missing where none was.

    \b
    nncli predict runs/penguins new.csv -o answers.csv --keep id --proba
    nncli predict runs/penguins new.csv -o for-excel.csv --keep name --escape-formulas
    cat new.csv | nncli predict runs/penguins - > answers.csv
    """
    settle_within_limit()
    from nncli.cli.console import announce_input, echo_err
    from nncli.cli.signals import interrupt_at_once
    from nncli.commands.predict import predict_chunks
    from nncli.data.io.writers import open_sink
    from nncli.runs.run import Run
    from nncli.utils.atomic_files import check_not_input, check_overwrite
    from nncli.utils.logs import log_duration

    interrupt_at_once()
    target = None if output == "-" else Path(output)
    if target is not None:
        check_overwrite(target, force=force)  # before any work is done
    source = None if table in (None, "-") else Path(table)
    check_not_input(source, target)
    with log_duration(f"loading {run}"):
        model = Run.open(run).load_model()
    if source is None:
        announce_input("a table")

    def tell(note: str) -> None:
        if not quiet:
            echo_err(f"note: {note}")

    frames = predict_chunks(model, source, proba=proba, keep=keep or [], tell=tell)
    first = next(frames)  # what is wrong with the first rows shows before a file is begun
    with open_sink(target, format=format, force=force, escape_formulas=escape_formulas) as sink:
        sink.write(first)
        for frame in frames:
            sink.write(frame)
