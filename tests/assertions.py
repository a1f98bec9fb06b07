"""Assertions on errors that do not depend on the wording of their messages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import pytest

from nncli.base.errors import NncliError
from nncli.base.findings import Finding

E = TypeVar("E", bound=NncliError)


def lines(findings: Iterable[Finding]) -> tuple[str, ...]:
    """The text of findings."""
    return tuple(finding.line for finding in findings)


@contextmanager
def raises(
    error: type[E],
    *,
    file: str | None = None,
    line: int | None = None,
    key: str | None = None,
    row: int | None = None,
    column: str | None = None,
    mentions: str = "",
) -> Iterator[pytest.ExceptionInfo[E]]:
    """Check that exactly this class of error is raised, with the given parts of its location.

    `file` is the last component of the location's source. `mentions` is a name, number or option that the message or
    hint has to contain; the wording around it is pinned in the test_wording.py of each room.
    """
    with pytest.raises(error) as caught:
        yield caught
    assert mentions in str(caught.value)
    assert type(caught.value) is error
    wanted = {"file": file, "line": line, "key": key, "row": row, "column": column}
    place = caught.value.location
    actual = {
        "file": Path(place.source).name if place and place.source else None,
        "line": place.line if place else None,
        "key": place.key if place else None,
        "row": place.row if place else None,
        "column": place.column if place else None,
    }
    assert {name: actual[name] for name in wanted if wanted[name] is not None} == {
        name: value for name, value in wanted.items() if value is not None
    }
