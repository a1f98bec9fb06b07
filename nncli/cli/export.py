"""`nncli export` on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from nncli.base.option import INPUT, OUTPUT
from nncli.cli.options import AsJson, DisplayOptions, Force, RunDirectory, requires_extra

if TYPE_CHECKING:
    from nncli.api.export import Export
    from nncli.export.comparison import Comparison

To: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--to",
        metavar="TARGET",
        help="onnx, js, html, c or python. Default: by the suffix of FILE.",
        rich_help_panel=OUTPUT,
    ),
]
OutputPath: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "-o",
        "--output",
        metavar="FILE",
        help="The file to write. Default: the run's name, in the working directory.",
        rich_help_panel=OUTPUT,
    ),
]
CheckTable: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--check",
        metavar="TABLE",
        help=(
            "Compare the predictions for all rows of a table. "
            "Default: up to 1,000 rows of the training table, and some with unusual cells."
        ),
        rich_help_panel=INPUT,
    ),
]
NoCheck: TypeAlias = Annotated[
    bool, typer.Option("--no-check", help="Do not run the file beside predict.", rich_help_panel=INPUT)
]
Labels: TypeAlias = Annotated[
    bool, typer.Option("--labels", help="Of classes: the label without the probabilities.", rich_help_panel=OUTPUT)
]
Probabilities: TypeAlias = Annotated[
    bool, typer.Option("--proba", help="Of classes: the probabilities without the label.", rich_help_panel=OUTPUT)
]
Intervals: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--interval",
        metavar="LEVEL",
        help="Of numbers: also prediction intervals that cover this share of new rows, such as 0.9. Repeatable.",
        rich_help_panel=OUTPUT,
    ),
]


def export(
    *,
    run: RunDirectory,
    to: To = None,
    output: OutputPath = None,
    check: CheckTable = None,
    no_check: NoCheck = False,
    labels: Labels = False,
    proba: Probabilities = False,
    intervals: Intervals = None,
    force: Force = False,
    as_json: AsJson = False,
    display: DisplayOptions,
) -> None:
    """onnx is for ONNX Runtime, js a module for Node and browsers, html a page with a form, c a C99 source file, and
    python needs NumPy alone. First the file is run, and its predictions are compared with those of `nncli predict`; if
    they differ, it is not written, and the exit code is 1. See docs/howto/export.md.

    \b
    nncli export runs/penguins --to onnx
    nncli export runs/penguins -o penguins.mjs --check new.csv
    nncli export runs/prices --to c --interval 0.9
    """
    import json

    from nncli.base.errors import UsageError
    from nncli.cli.console import echo_err, interrupt_at_once, print_path
    from nncli.cli.parameters import levels_of

    interrupt_at_once()
    if check is not None and no_check:
        raise UsageError("--check and --no-check exclude each other", hint="Leave one of them out.")
    with requires_extra("export"):
        from nncli.api.export import MismatchError, export_run

        try:
            exported = export_run(
                run,
                output,
                to=to,
                check=not no_check if check is None else check,
                labels=labels,
                proba=proba,
                intervals=levels_of("--interval", intervals),
                force=force,
            )
        except MismatchError as error:
            _show_check(error.export)
            raise
    if not display.quiet:
        echo_err(_sizes(exported))
        _show_check(exported)
    if as_json:
        typer.echo(json.dumps(exported.json(), ensure_ascii=False).encode("utf-8", "surrogateescape"))
    else:
        print_path(exported.path)


def _sizes(exported: Export) -> str:
    """The size of the file, and of the weights in it."""
    size, weights = (f"{size / 1e3:,.1f} kB" for size in (exported.bytes, exported.constant_bytes))
    return f"{size}, of which the weights are {weights}"


def _show_check(exported: Export) -> None:
    """Print how the file was checked, or why it was not."""
    from nncli.cli.console import echo_err

    if exported.comparison is None:
        echo_err(f"note: the file was not checked: {exported.unchecked}")
        return
    for line in _lines(exported.comparison, exported.runtime):
        echo_err(line)


def _lines(found: Comparison, runtime: str) -> list[str]:
    """The comparison in words."""
    from nncli.cli.console import rows

    lines = [f"checked in {runtime} with {rows(found.rows)}: {_verdict(found)}"]
    if found.differing:
        largest = (
            f"up to {found.largest_ulp:,.0f} ulp" if found.largest_ulp < float("inf") else "one of two is no number"
        )
        lines.append(
            f"{found.differing:,} of {found.numbers:,} numbers differ, {largest} of float32 "
            f"({found.max_ulp} allowed): {', '.join(found.largest_rows)}"
        )
    if found.n_classes:
        lines.append(f"the class differs in {rows(found.n_classes)}: {', '.join(found.class_rows)}")
    if found.n_ties:
        lines.append(f"in {rows(found.n_ties)} two classes are equally probable, of which the file chooses the other")
    return lines


def _verdict(found: Comparison) -> str:
    """Whether the predictions are those of nncli predict."""
    if not found.is_match:
        return "the predictions differ from those of predict"
    if found.differing or found.n_ties:
        return "the predictions are those of nncli predict, but for rounding"
    return "the predictions are those of nncli predict, to the last bit of float32"
