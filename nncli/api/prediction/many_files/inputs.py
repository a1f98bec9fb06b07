"""The files to predict, and the files that their answers are written to."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path, PurePath

from nncli.api.prediction.many_files.file_task import FileState, FileToPredict
from nncli.base.errors import DataError, Location, UsageError, sentences
from nncli.data.formats.registry import FORMATS, Format, suffix_of, writable_format
from nncli.data.formats.streams import translate_os_errors
from nncli.data.sources.files.several_files import find_files, pattern_of
from nncli.data.sources.open import open_reader
from nncli.data.sources.remote.stored_object import StoredObject, find_objects, names_several_objects
from nncli.data.sources.remote.stores import ObjectUrl
from nncli.data.sources.table_source import STORE_SCHEMES, TableSource

WITHOUT_IT = "To leave the file out, name the others by a pattern, such as '*.csv'."
OTHER_FOLDER = "Name another folder with -o."


def input_files(sources: Sequence[TableSource], output: Path, format: Format | None) -> tuple[FileToPredict, ...]:  # noqa: A002
    """The files that are named by paths, folders and patterns, each once, with the names of their answers in `output`.

    A file has the folders below the fixed folder of its pattern in its answer's name. What is in an output folder
    inside the input folder is left out: these are answers.

    Raises:
        DataError: there is no such file.
        UsageError: a source is not a local file, its format is unknown, two answers have the same name, or an answer
            would replace an input.
    """
    files = (file for source in sources for file in _files_of(source, output, format))
    by_path = {os.path.realpath(file.name) if file.state.tag is None else file.name: file for file in files}
    by_answer: dict[str, FileToPredict] = {}
    for file in by_path.values():
        other = by_answer.setdefault(file.answer, file)
        if other is not file:
            raise UsageError(
                f"the predictions for this file and for {other.name} would have the same name, {file.answer}",
                location=Location(source=file.name),
                hint="Name a folder above both, or predict them into different folders.",
            )
        if os.path.realpath(output / file.answer) in by_path:
            raise UsageError(
                f"the predictions for {file.name} would replace this input",
                location=Location(source=str(output / file.answer)),
                hint=OTHER_FOLDER,
            )
    return tuple(by_path.values())


def _files_of(source: TableSource, output: Path, format: Format | None) -> Iterator[FileToPredict]:  # noqa: A002
    if source.scheme in STORE_SCHEMES:
        yield from _objects_of(source, format)
    elif source.local_path is None:
        raise UsageError(
            "only files and objects of object stores can be predicted into a folder",
            location=Location(source="standard input" if source.is_standard_input else source.path),
            hint="Name a file with -o.",
        )
    else:
        yield from _local_files_of(source, output, format)


def _objects_of(source: TableSource, format: Format | None) -> Iterator[FileToPredict]:  # noqa: A002
    """The objects that a URL of an object store names."""
    url = ObjectUrl.parse(source.path)
    if not names_several_objects(url):
        state = FileState.of_object(StoredObject(url).version())
        yield _input_file(url.url, state, source, PurePath(url.key).name, format)
        return
    objects = find_objects(url)
    for key, version in zip(objects.keys, objects.versions, strict=True):
        name = key.removeprefix(objects.folder).lstrip("/")
        yield _input_file(url.with_key(key), FileState.of_object(version), source, name, format)


def _local_files_of(source: TableSource, output: Path, format: Format | None) -> Iterator[FileToPredict]:  # noqa: A002
    """The local files that a path names, without those in an output folder inside the input folder."""
    files = find_files(source.path)
    answers = Path(os.path.realpath(output))
    in_answers = Path(os.path.realpath(files.folder)) in answers.parents
    inputs = 0
    for path in files.files:
        if answers in Path(os.path.realpath(path)).parents:
            if in_answers:
                continue
            raise UsageError(
                "the predictions would be among the inputs", location=Location(source=str(path)), hint=OTHER_FOLDER
            )
        inputs += 1
        with translate_os_errors(path):
            state = FileState.of(path)
        yield _input_file(str(path), state, source, path.relative_to(files.folder).as_posix(), format)
    if not inputs:
        hint = "Name another folder as input, or as output with -o."
        raise DataError("all its files are in the output folder", location=Location(source=source.path), hint=hint)


def _input_file(
    path: str,
    state: FileState,
    given: TableSource,
    name: str,
    format: Format | None,  # noqa: A002
) -> FileToPredict:
    """The file at a path, with the options of the source that was given; `name` is what its answer is named after."""
    single = given.model_copy(update={"path": path})
    reader = open_reader(single)
    if reader.is_read_once:
        raise UsageError(
            "a pipe or device cannot be predicted into a folder",
            location=Location(source=path),
            hint="Name a file with -o.",
        )
    try:
        with suppress(DataError):  # of a damaged archive, which fails when it is predicted
            reader.is_columnar  # noqa: B018 - raises a UsageError if the name does not tell the format
    except UsageError as error:
        error.hint = sentences(error.hint, WITHOUT_IT)
        raise
    # Folders such as year=2025 become columns where a pattern is read.
    has_keys = "=" in PurePath(path).parent.name
    source = given.model_copy(update={"path": pattern_of(path)}) if has_keys else single
    return FileToPredict(path, source, state, output_name(PurePath(name), format).as_posix())


def output_name(name: PurePath, format: Format | None = None) -> PurePath:  # noqa: A002
    """The name of the answers of a file: its own name, or with the suffix of `format`.

    What can only be read, such as a workbook, has its answers in CSV. A compressed file has compressed answers.

    >>> str(output_name(PurePath("b/x.csv.gz"))), str(output_name(PurePath("x.xlsx")))
    ('b/x.csv.gz', 'x.csv')
    >>> str(output_name(PurePath("x.csv.gz"), Format.JSONL)), str(output_name(PurePath("x.csv.gz"), Format.PARQUET))
    ('x.jsonl.gz', 'x.parquet')
    """
    input_format = _format_of(name)
    if input_format is not None and format in (None, input_format):
        return name
    is_compressed = suffix_of(name) != name.suffix.lower()
    inner = name.with_suffix("") if is_compressed else name
    if input_format is None and _format_of(inner.with_suffix("")) is not None:  # such as x.csv.zip
        return output_name(inner.with_suffix(""), format)
    answer = inner.with_suffix(FORMATS[format or Format.CSV].suffixes[0])
    compressed = answer.with_name(answer.name + name.suffix)
    return compressed if is_compressed and _format_of(compressed) is not None else answer


def _format_of(name: PurePath) -> Format | None:
    """The format that a name tells, or None if none can be written under that name."""
    try:
        return writable_format(name)
    except UsageError:
        return None
