"""The file of `--errors`, to which predict and evaluate write cells that cannot be read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from nncli.base.errors import Location, UsageError

if TYPE_CHECKING:
    from nncli.data.sources.table_source import TableSource


def check_errors_file(errors: Path, source: TableSource, target: Path | None, *, force: bool) -> None:
    """Raise a UsageError if the file of invalid cells exists, or is read or is the output."""
    from nncli.base.atomic_files import check_overwrite
    from nncli.data.sources.input_kept import check_input_kept

    if str(errors) == "-":
        raise UsageError("invalid cells cannot go to standard output", hint="Name a file for --errors.")
    if target is not None and errors.resolve() == target.resolve():
        message = "the predictions are written to this file"
        raise UsageError(message, location=Location(source=str(errors)), hint="Name another file for --errors.")
    check_overwrite(errors, force=force)
    check_input_kept(source, errors, option="--errors")
