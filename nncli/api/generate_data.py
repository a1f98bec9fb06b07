"""`nncli generate-data`: write a synthetic table."""

from __future__ import annotations

from pathlib import Path

from nncli.api.options import SyntheticOptions
from nncli.base.option import operation
from nncli.data.formats.registry import FileOptions
from nncli.data.formats.writers import write_table
from nncli.data.synthetic import generate


def generate_data_with(name: str = "linear", *, options: SyntheticOptions) -> None:
    """Write rows of a synthetic data set to a file, or to standard output.

    Raises:
        UsageError: there is no such data set, or the file exists.
    """
    target = None if options.path is None or options.path == "-" else Path(options.path)
    table = generate(name, options.rows, noise=options.noise, seed=options.seed)
    write_table(table, target, FileOptions(force=options.force))


generate_data = operation(SyntheticOptions)(generate_data_with)
