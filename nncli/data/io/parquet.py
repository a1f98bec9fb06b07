"""Reading Parquet files batch by batch."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars

from nncli.data.io.streams import PARQUET_MAGIC, POLARS_ERRORS
from nncli.errors import DataError, Location, reraise_out_of_memory


def read_parquet(path: Path, source: str, rows: int | None) -> Iterator[tuple[int, polars.DataFrame]]:
    """Yield the number of the first row and the rows: `rows` at a time, or all of them at once.

    Raises:
        DataError: it is not a Parquet file, or a damaged one.
    """
    with path.open("rb") as file:
        if (head := file.read(len(PARQUET_MAGIC))) != PARQUET_MAGIC:
            raise DataError(
                "this is not a Parquet file" if head else "the file is empty",
                place=Location(source=source),
                hint="If it is text, name it .csv, .tsv or .jsonl, or say its format." if head else None,
            )
    try:
        # The name is a name: no patterns in it, and no columns read out of the folders' names.
        scan = polars.scan_parquet(path, glob=False, hive_partitioning=False)
        count = scan.select(polars.len()).collect().item()
        for first in range(0, max(count, 1), rows or max(count, 1)):
            yield first + 1, (scan if rows is None else scan.slice(first, rows)).collect()
    except POLARS_ERRORS as error:
        reraise_out_of_memory(error)
        raise DataError(
            f"the Parquet file is damaged, or of a kind that is not supported: {str(error).splitlines()[0]}",
            place=Location(source=source),
            hint="Write or copy it once more.",
        ) from error
