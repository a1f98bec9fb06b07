"""Notes on how many files were read, in a few lines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

MAX_NOTES = 5


def common_notes(notes: Iterable[tuple[str, tuple[str, ...]]]) -> Iterator[str]:
    """The different notes of files, each given by its name and its notes; the same note of several files is one.

    >>> list(common_notes([("a.csv", ("a.csv: read with encoding latin-1",)),
    ...                    ("b.csv", ("b.csv: read with encoding latin-1",))]))
    ['a.csv: read with encoding latin-1 (and 1 more file)']
    """
    names: dict[str, list[str]] = {}
    for name, lines in notes:
        for line in lines:
            names.setdefault(line.removeprefix(f"{name}: "), []).append(name)
    for text, files in [*names.items()][:MAX_NOTES]:
        more = len(files) - 1
        yield f"{files[0]}: {text}" + (f" (and {more:,} more file{'s' * (more > 1)})" if more else "")
    others = {file for files in [*names.values()][MAX_NOTES:] for file in files}
    if others:
        yield f"other notes on {len(others):,} file{'s' * (len(others) > 1)}"
