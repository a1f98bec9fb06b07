"""Where a table is written: standard output, a local file, or an object of an object store.

To add a kind of target, write its functions in a new file and choose them here.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

from nncli.data.io.formats import Format
from nncli.data.io.sinks import Sink
from nncli.data.io.writers import open_sink
from nncli.data.sources.open import STORE_SCHEMES
from nncli.data.sources.table_source import STANDARD_INPUT, TableSource
from nncli.errors import Location, UsageError
from nncli.utils.atomic_files import check_not_input, check_overwrite

OutputTarget: TypeAlias = Path | TableSource | None
"""A local file, what a URL names, or standard output."""


def output_target(output: str) -> OutputTarget:
    """The target that -o names."""
    if output == STANDARD_INPUT:
        return None
    source = TableSource(path=output)
    return Path(output) if source.scheme is None else source


def check_output(
    target: OutputTarget,
    source: TableSource,
    *,
    force: bool,
    format: Format | None = None,  # noqa: A002
) -> None:
    """Raise an error, before any work is done, if `target` cannot be written.

    Raises:
        UsageError: it is there and `force` is false, it is the `source`, or no table can be written to it.
        DataError: the object store cannot be reached.
    """
    if isinstance(target, TableSource):
        if target.path == source.path:
            raise UsageError(
                "the output would replace the table that it is made from",
                location=Location(source=target.path),
                hint="Name another one with -o.",
            )
        _check_url(target)
        from nncli.data.sources.remote.upload import check_object

        check_object(target.path, format, force=force)
    elif target is not None:
        check_overwrite(target, force=force)
    check_not_input(source.local_path, target if isinstance(target, Path) else None)


@contextmanager
def open_output(
    target: OutputTarget,
    *,
    format: Format | None = None,  # noqa: A002
    force: bool = False,
    escape_formulas: bool = False,
) -> Iterator[Sink]:
    """Yield a sink for a target; what is written appears when the block ends without an error.

    Raises:
        UsageError: the target is there and `force` is false, or it cannot be written to.
        NncliError: as `open_sink`.
    """
    if isinstance(target, TableSource):
        _check_url(target)
        from nncli.data.sources.remote.upload import open_object

        with open_object(target.path, format=format, force=force, escape_formulas=escape_formulas) as sink:
            yield sink
        return
    with open_sink(target, format=format, force=force, escape_formulas=escape_formulas) as sink:
        yield sink


def _check_url(target: TableSource) -> None:
    """Raise a UsageError if tables cannot be written to URLs of this kind."""
    if target.scheme not in STORE_SCHEMES:
        raise UsageError(
            f"a table cannot be written to {target.scheme}://",
            location=Location(source=target.path),
            hint=f"Write it to a local file or to an object store ({', '.join(f'{s}://' for s in STORE_SCHEMES)}).",
        )
