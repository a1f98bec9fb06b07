"""`nncli predict` into a folder, on the command line: progress, errors and the summary."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from nncli.api.options import PredictFilesOptions
    from nncli.api.prediction.many_files.results import FilesPrediction
    from nncli.data.sources.table_source import TableSource


def names_folder(output: str) -> bool:
    """Whether an output is a folder: it ends in a separator, or there is such a folder."""
    if "://" in output:
        return False
    return output.endswith(("/", os.sep)) or os.path.isdir(output)  # noqa: PTH112 - Path.is_dir may raise


def predict_into_folder(
    run: Path, sources: Sequence[TableSource], output: str, options: PredictFilesOptions, *, quiet: bool
) -> None:
    """Predict each file of the sources into a file in the folder `output`.

    Raises:
        typer.Exit: files could not be predicted; the exit code is that of the first one's error.
    """
    from nncli.api.predict_files import predict_files_with
    from nncli.cli.console import echo_err
    from nncli.cli.progress.files import files_progress

    notes: list[str] = []
    progress = files_progress(quiet)
    options = replace(options, on_note=notes.append, on_progress=progress.update)
    try:
        result = predict_files_with(run, sources, output, options)
    finally:
        progress.close()
    if not quiet:
        for note in notes:
            echo_err(f"note: {note}")
        echo_err(summary(result))
    if result.failed:
        error = result.failed[0].error
        raise typer.Exit(1 if error is None else error.exit_code)


def summary(result: FilesPrediction) -> str:
    """What became of the files, for example `61 of 64 files predicted, 3 failed`."""
    from nncli.cli.console import rows

    total, failed, before = len(result.files), len(result.failed), len(result.skipped)
    parts = [f"{total - failed:,} of {total:,} file{'s' * (total > 1)} predicted"]
    if before:
        parts.append(f"{before:,} of them before")
    if failed:
        parts.append(f"{failed:,} failed")
    if result.done:
        parts.append(rows(result.summary.rows))
    return ", ".join(parts)
