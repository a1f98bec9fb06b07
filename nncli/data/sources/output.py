"""Where a table is written: standard output, a local file, an object of an object store, or a table of a database.

To add a kind of target, write its functions in a new file and choose them here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePath
from typing import TypeAlias, TypeGuard

from nncli.base.atomic_files import check_overwrite
from nncli.base.errors import Advice, Location, UsageError, UseOption, output_to
from nncli.data.formats.file_format import load_format
from nncli.data.formats.registry import FileOptions, Format, writable_format
from nncli.data.formats.sinks import Sink
from nncli.data.formats.streams import is_stream
from nncli.data.formats.writers import open_sink
from nncli.data.sources.database.address import OUTPUT_TABLE, DatabaseAddress
from nncli.data.sources.files.several_files import find_files
from nncli.data.sources.table_source import (
    DATABASE_SCHEMES,
    LOCAL_DATABASES,
    STANDARD_INPUT,
    STORE_SCHEMES,
    TableSource,
)

OutputTarget: TypeAlias = Path | TableSource | None
"""A local file, what a URL names, or standard output."""


def output_target(output: str, table: str | None = None) -> OutputTarget:
    """The target that an output names, with its table if it is a database.

    Raises:
        UsageError: a table is named, and the target is no database.
    """
    source = TableSource(path=output, table=table)
    if table is not None and source.scheme not in DATABASE_SCHEMES:
        raise UsageError(
            Advice(OUTPUT_TABLE, " is for predictions in a database, and the output is none"),
            location=Location(source=output),
            hint=Advice("Name a database: ", output_to("sqlite:///predictions.db"), "."),
        )
    if output == STANDARD_INPUT:
        return None
    return Path(output) if source.scheme is None else source


def check_output(
    target: OutputTarget,
    source: TableSource,
    options: FileOptions,
    *,
    append: bool = False,
) -> None:
    """Raise an error, before any work is done, if `target` cannot be written.

    Raises:
        UsageError: it is there without `force`, the `source` is read from it, or no table can be written to it.
        DataError: the object store or the database cannot be reached.
    """
    _check_options(target, options, append=append)
    if is_database(target):
        from nncli.data.sources.database.writer import check_database_output

        check_database_output(target, source, force=options.force, append=append)
        return
    check_input_kept(source, target)  # first: --force would not help
    if isinstance(target, TableSource):
        from nncli.data.sources.remote.upload import check_object

        check_object(target.path, options)
    elif target is not None:
        check_overwrite(target, force=options.force)


@contextmanager
def open_output(
    target: OutputTarget,
    options: FileOptions = FileOptions(),  # noqa: B008 - frozen
    *,
    append: bool = False,
) -> Iterator[Sink]:
    """Yield a sink for a target; what is written appears when the block ends without an error.

    Raises:
        UsageError: the target is there and is neither replaced nor appended to, or it cannot be written or appended to.
        NncliError: as `open_sink`.
        DataError: the database cannot be reached, or refuses the rows.
    """
    _check_options(target, options, append=append)
    if is_database(target):
        from nncli.data.sources.database.writer import if_exists, open_database_sink

        opened = open_database_sink(target, if_exists(force=options.force, append=append))
    elif isinstance(target, TableSource):
        from nncli.data.sources.remote.upload import open_object

        opened = open_object(target.path, options)
    else:
        opened = open_sink(target, options)
    with opened as sink:
        yield sink


def _check_options(target: OutputTarget, options: FileOptions, *, append: bool) -> None:
    """Raise a UsageError if no tables are written to such URLs, or options are for another kind of target."""
    if is_database(target):
        for name, is_set in (
            ("format", options.format),
            ("escape_formulas", options.escape_formulas),
            ("decimal", options.decimal != "."),
        ):
            if is_set:
                raise UsageError(
                    Advice(option := FileOptions.use(name), " is for files, and the output is a database"),
                    location=Location(source=target.path),
                    hint=Advice("Remove ", option, "."),
                )
    elif append:
        raise UsageError(
            Advice(UseOption("append", "append"), " is for tables of databases"),
            hint=Advice("Remove it, or name a database: ", output_to(placeholder="URL"), "."),
        )
    elif isinstance(target, TableSource) and target.scheme not in STORE_SCHEMES:
        raise UsageError(
            f"a table cannot be written to {target.scheme}://",
            location=Location(source=target.path),
            hint=f"Write it to a local file or to an object store ({', '.join(f'{s}://' for s in STORE_SCHEMES)}).",
        )


def has_lists(target: OutputTarget, format: Format | None) -> bool:  # noqa: A002
    """Whether a cell of the target may be a list; `format` is None where the name tells it.

    Raises:
        UsageError: the name does not tell the format.
    """
    if is_database(target):
        return False
    path = PurePath(target.path) if isinstance(target, TableSource) else target
    stream = path is None or (isinstance(path, Path) and is_stream(path))
    chosen = format or (Format.CSV if path is None or stream else writable_format(path))
    return load_format(chosen).has_lists


def is_database(target: OutputTarget) -> TypeGuard[TableSource]:
    """Whether the target is a table of a database."""
    return isinstance(target, TableSource) and target.scheme in DATABASE_SCHEMES


def check_input_kept(source: TableSource, target: Path | TableSource | None, *, option: str = "output") -> None:
    """Raise an error if the file or object `target`, which an `option` names, is among those that the source names.

    Raises:
        UsageError: it is, or a pattern matches both files and folders.
        DataError: the source names no file, or its object store cannot be reached.
    """
    is_read = _is_object_of(source, target) if isinstance(target, TableSource) else _is_file_of(source, target)
    if is_read:
        raise UsageError(
            "the output would replace the input table",
            location=Location(source=target.path if isinstance(target, TableSource) else str(target)),
            hint=Advice(
                "Name another one with ", output_to() if option == "output" else UseOption(option, option), "."
            ),
        )


def _is_file_of(source: TableSource, target: Path | None) -> bool:
    """Whether an existing file is one that the source names."""
    return target is not None and target.is_file() and any(_is_same_file(file, target) for file in _files_of(source))


def _files_of(source: TableSource) -> Sequence[Path]:
    """The local files that a source names."""
    if source.scheme in LOCAL_DATABASES:
        return (DatabaseAddress.of(source).file,)
    return () if source.local_path is None else find_files(source.path).files


def _is_same_file(file: Path, other: Path) -> bool:
    return file.exists() and other.exists() and file.samefile(other)


def _is_object_of(source: TableSource, target: TableSource) -> bool:
    """Whether an object is one that the source names."""
    from nncli.data.sources.remote.stored_object import find_objects, names_several_objects
    from nncli.data.sources.remote.stores import ObjectUrl

    if source.scheme not in STORE_SCHEMES or target.scheme not in STORE_SCHEMES:
        return False
    read, written = ObjectUrl.parse(source.path), ObjectUrl.parse(target.path)
    if (read.scheme, read.bucket) != (written.scheme, written.bucket):
        return False
    if read.account and written.account and read.account != written.account:
        return False
    if not names_several_objects(read):
        return read.key == written.key
    # A listing may take long: it is left out where the key cannot match.
    could_match = written.key.startswith(re.split(r"[*?[]", read.key)[0])
    return could_match and written.key in find_objects(read).keys
