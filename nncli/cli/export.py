"""`nncli export` on the command line."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from nncli.api.options import ExportOptions
from nncli.base.errors import Advice, NncliError, UsageError, sentences
from nncli.base.option import INPUT, OUTPUT, Option, Options
from nncli.base.text import quote
from nncli.cli.console import echo_err, interrupt_at_once, print_path, rows
from nncli.cli.shared_arguments import ResultOptions, RunDirectory, each_target, output_of_target

if TYPE_CHECKING:
    from nncli.api.export import Export, PreparedExport
    from nncli.exporters.parity import ParityReport


@dataclass(frozen=True, kw_only=True)
class ExportFileOptions(Options):
    """The exported file, and whether it is checked."""

    output: Annotated[
        Path | None,
        Option(
            "The file to write. Default: the run's name, in the working directory.", OUTPUT, short="-o", metavar="FILE"
        ),
    ] = None
    no_check: Annotated[bool, Option("Do not compare the file with nncli predict.", INPUT)] = False


def export(
    *,
    run: RunDirectory,
    file: ExportFileOptions,
    options: ExportOptions,
    display: ResultOptions,
) -> None:
    """The file has the preprocessing, all networks and the decision. onnx is for ONNX Runtime, js a module for Node and
    browsers, html a page with a form, c a C99 source file, and python a module that needs only NumPy. First the file is
    run, and its predictions are compared with those of `nncli predict`; if they differ, it is not written, and the exit
    code is 1. See docs/howto/export.md.

    \b
    nncli export runs/penguins --to onnx
    nncli export runs/penguins -o penguins.mjs --check new.csv
    nncli export runs/prices --to c --interval 0.9
    """
    interrupt_at_once()
    if file.no_check:
        if options.check is not True:
            raise UsageError("--check and --no-check exclude each other", hint="Leave one of them out.")
        options = replace(options, check=False)
    from nncli.api.export import write_exports
    from nncli.run_directory.run import targets_of

    targets = {of_target.path: name for name, of_target in targets_of(run).items()}
    prepared = {path: _prepared(path, run, targets, file, options) for path in targets or [run]}
    write_exports(prepared.values())
    for of_target, shown in each_target(run, display):
        exported = prepared[of_target].export
        display.say(_sizes(exported), *_check_lines(exported))
        if shown.as_json:
            shown.show(exported.json, str)
        else:
            print_path(exported.path)


def _prepared(
    of_target: Path, run: Path, targets: Mapping[Path, str], file: ExportFileOptions, options: ExportOptions
) -> PreparedExport:
    """The checked file of a run, or of one of its `targets`, whose name an error then says."""
    from nncli.api.export import MismatchError, prepare_export

    try:
        return prepare_export(of_target, output_of_target(file.output, of_target, run), options=options)
    except NncliError as error:
        if isinstance(error, MismatchError):
            for line in _check_lines(error.export):
                echo_err(line)
        if targets:
            error.message = Advice(f"the target {quote(targets[of_target])}: ", error.message)
            others = ", ".join(shlex.quote(str(path)) for path in targets if path != of_target)
            error.hint = sentences(error.hint, f"Nothing was written; other targets have runs of their own: {others}.")
        raise


def _sizes(exported: Export) -> str:
    """The size of the file, and of the weights in it."""
    size, weights = (f"{size / 1e3:,.1f} kB" for size in (exported.bytes, exported.constant_bytes))
    return f"{size}, of which the weights are {weights}"


def _check_lines(exported: Export) -> list[str]:
    """How the file was checked, or why it was not."""
    comparison = exported.comparison
    if comparison is None:
        return [f"note: the file was not checked: {exported.unchecked}"]
    lines = [f"checked in {exported.runtime} with {rows(comparison.rows)}: {_verdict(comparison)}"]
    if comparison.differing:
        largest = (
            f"up to {comparison.largest_ulp:,.0f} ulp"
            if comparison.largest_ulp < float("inf")
            else "one of two is no number"
        )
        lines.append(
            f"{comparison.differing:,} of {comparison.numbers:,} numbers differ, {largest} of float32 "
            f"({comparison.max_ulp} allowed): {', '.join(comparison.largest_rows)}"
        )
    if comparison.n_classes:
        lines.append(f"the class differs in {rows(comparison.n_classes)}: {', '.join(comparison.class_rows)}")
    if comparison.n_ties:
        lines.append(
            f"in {rows(comparison.n_ties)} two classes are equally probable, of which the file chooses the other"
        )
    return lines


def _verdict(comparison: ParityReport) -> str:
    """Whether the predictions are those of nncli predict."""
    if not comparison.is_match:
        return "the predictions differ from those of predict"
    if comparison.differing or comparison.n_ties:
        return "the predictions are those of nncli predict, but for rounding"
    return "the predictions are those of nncli predict, to the last bit of float32"
