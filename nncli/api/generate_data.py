"""`nncli generate-data`: write a synthetic table."""

from __future__ import annotations

from pathlib import Path

from nncli.data.formats.registry import FileOptions
from nncli.data.formats.writers import write_table
from nncli.data.synthetic import generate


def generate_data(
    name: str = "linear",
    *,
    rows: int = 100,
    noise: float | None = None,
    seed: int = 0,
    path: Path | None = None,
    force: bool = False,
) -> None:
    """Write `rows` rows of a synthetic data set to `path`, or to standard output.

    Raises:
        UsageError: there is no such data set, or the file exists.
    """
    write_table(generate(name, rows, noise=noise, seed=seed), path, FileOptions(force=force))
