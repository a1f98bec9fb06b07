"""The file of `--errors`, to which predict and evaluate write cells that cannot be read."""

from __future__ import annotations

from pathlib import Path

from nncli.errors import Location, UsageError


def check_errors_file(errors: Path, source: Path | None, target: Path | None, *, force: bool) -> None:
    """Raise a UsageError if the file of invalid cells exists, or is the input or the output."""
    from nncli.utils.atomic_files import check_not_input, check_overwrite

    if str(errors) == "-":
        raise UsageError("invalid cells cannot go to standard output", hint="Name a file for --errors.")
    if target is not None and errors.resolve() == target.resolve():
        message = "the predictions are written to this file"
        raise UsageError(message, location=Location(source=str(errors)), hint="Name another file for --errors.")
    check_overwrite(errors, force=force)
    check_not_input(source, errors)
