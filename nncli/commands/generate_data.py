"""`nncli generate-data`: a synthetic table, to try things on."""

from __future__ import annotations

from pathlib import Path

from nncli.data.io.writers import write_table
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
    """Write `rows` rows of a synthetic set to `path`, or to the standard output.

    Raises:
        UsageError: no such set, or a file would be overwritten.
    """
    write_table(generate(name, rows, noise=noise, seed=seed), path, force=force)
