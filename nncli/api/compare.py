"""`nncli compare`: configuration differences, scores, and significance tests of several runs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nncli.analysis.run_comparison import RunComparison, compare_runs
from nncli.base.errors import UsageError
from nncli.data.sources.table_source import TableLocation, TableSource, as_source

if TYPE_CHECKING:
    from nncli.data.formats.dataframes import Frame


def compare(runs: str | Path | Sequence[str | Path], data: TableLocation | Frame | None = None) -> RunComparison:
    """Compare runs: those named, or all in a folder.

    Each is scored on its held-out rows, or on the labeled rows of `data`, a file or a Polars or pandas frame. Two runs
    with the same table and target are tested on the rows that they share. A damaged or unfinished run, or one whose
    table is missing, is included as far as it is known.

    Raises:
        UsageError: there are fewer than two runs, or `data` is the standard input.
        RunError: a folder does not exist.
        DataError: `data` cannot be read, or no run can be scored on it.
    """
    if isinstance(data, TableSource | str | os.PathLike) and as_source(data).is_standard_input:
        raise UsageError("every run reads the table, and the standard input can only be read once", hint="Name a file.")
    return compare_runs([Path(path) for path in ([runs] if isinstance(runs, str | Path) else runs)], data)
