"""Every record of a CSV file is a row, is counted by a note, or is refused. The judge counts records by itself."""

from __future__ import annotations

import io
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nncli.base.errors import DataError, NncliError
from nncli.data.dialect import CsvDialect
from nncli.data.formats.csv.reader import read_delimited
from nncli.data.formats.read_options import ReadOptions
from nncli.data.sources.read_table import read_table
from nncli.data.table import Table
from nncli.models.ensemble import AnyModel
from nncli.serving.bodies.media_types import ContentType, MediaType
from nncli.serving.bodies.table_body import read_delimited_body
from tests.assertions import raises

PLAIN = ["x", "5", "", '"p, q"', '"p\nq"', '"p ""q"""']
CELLS = [*PLAIN, '24" x', '"p', 'p"', '"a" b', 'r "s" t', '"u "v", w"', '"p""']
ABOVE = ["", "A title", '"A title, quoted"', 'A "big" title', '"Big" title', '"A title', "5", ",,", "A title,,", "\r"]
BELOW = ["", "Source: me", '"Source: me, you"', '"Source: me', 'Note: 24" x', "Total,1,2", ",,", "x,,", "\r"]
COUNTED = (
    r"left out (\d+) lines? below",
    r"below (\d+) lines of titles",
    r"skipped (\d+) rows? with",
    "below (a) title",
)
HEADER = "first,second,third"
SETTINGS = st.fixed_dictionaries(
    {"header": st.booleans()}, optional={"ragged": st.sampled_from(["pad", "skip"]), "footer_rows": st.integers(0, 2)}
)


@st.composite
def texts(draw: st.DrawFn) -> str:
    """Lines of three cells, the first of which occurs once in the text, with others above, below and between them."""
    lines = [HEADER] * draw(st.booleans())
    pool = st.sampled_from(draw(st.sampled_from([PLAIN, CELLS])))
    end = draw(st.sampled_from(["", "", ","]))
    for number in range(draw(st.integers(1, 12))):
        cell = pool if draw(st.integers(0, 2)) == 0 else st.sampled_from(["x", "5"])
        lines.append(f"id{number},{draw(cell)},{draw(cell)}{end}")
    lines[:0] = draw(st.lists(st.sampled_from(ABOVE), max_size=2))
    lines += draw(st.lists(st.sampled_from(BELOW), max_size=2))
    for mark in draw(st.lists(st.sampled_from(['"', ",", "\n", "\r"]), max_size=2)):
        line = draw(st.integers(0, len(lines) - 1))
        at = draw(st.integers(0, len(lines[line])))
        lines[line] = lines[line][:at] + mark + lines[line][at:]
    text = "".join(line + draw(st.sampled_from(["\n", "\n", "\r\n"])) for line in lines)
    return text if draw(st.booleans()) else text.rstrip("\r\n")


def records_of(text: str) -> tuple[list[str], bool]:
    """The records that are not blank, which end at a line end outside quotes, and whether all quotes are in place."""
    records, start, at, clear = [], 0, 0, True
    begins = True
    while at < len(text):
        if text[at] == '"' and begins:
            cell = re.compile(r'"(?:[^"]|"")*("?)').match(text, at)
            assert cell is not None
            at = cell.end()
            clear &= bool(cell[1]) and (at == len(text) or text[at] in ",\r\n")
            begins = False
        elif end := re.compile(r"\r*\n|\r").match(text, at):
            records.append(text[start:at])
            start = at = end.end()
            begins = True
        else:
            clear &= text[at] != '"'
            begins = text[at] == ","
            at += 1
    return [record for record in (*records, text[start:]) if record], clear


def read(text: str, size: int = 1 << 20, trained: CsvDialect | None = None, **given: Any) -> list[Table] | None:
    """The tables; None if the text is refused."""
    options = ReadOptions(CsvDialect(separator=",", decimal=".", **given), trained, block_bytes=size)
    try:
        return list(read_delimited(io.BytesIO(text.encode()), "x.csv", options))
    except DataError:
        return None


def rows_of(tables: list[Table] | None) -> tuple[list[str], list[tuple[Any, ...]]] | None:
    return None if tables is None else (tables[0].names, [row for table in tables for row in table.frame.rows()])


@pytest.mark.slow
@settings(max_examples=400)
@given(texts(), SETTINGS)
@example('1,"a,b","x\n2,"c,d",y\n3,"e,f",z\n', {"header": False})
@example('a,b,"y\n' + 'n,"t, n",1\n' * 40, {"header": True})
@example('Sizes, as of 24" x\rname,city\nann,oslo\nbob,rome\n', {"header": True, "header_row": 2})
@example("5,,\n1,2,3\n4,5,6\n", {"header": False})
@example(",,\n1,2,3\n4,5,6\n", {"header": False})
@example("A title\n\n1,2,3\n4,5,6\n", {"header": False})
@example('id0,1,2\nid1,1,2\nid2,1,"x\nid3,1,2\n', {"header": False, "footer_rows": 1})
def test_every_record_is_read_or_counted_or_refused(text: str, given: dict[str, Any]) -> None:
    tables = read(text, **given)
    if tables is None:
        return
    records, clear = records_of(text)
    names, rows = rows_of(tables) or ([], [])
    notes = " ".join(note for table in tables for note in table.notes)
    counts = [match for pattern in COUNTED for match in re.findall(pattern, notes)]
    counted = sum(1 if count == "a" else int(count) for count in counts)
    if clear and len(names) > 1:
        assert len(rows) + counted + given["header"] == len(records)
    shown = {*re.findall(r"id\d+", " ".join(map(str, [*names, *rows])))}
    lost = [record for record in records if {*re.findall(r"id\d+", record)} - shown]
    assert len(lost) <= counted


@pytest.mark.slow
@settings(max_examples=200)
@given(texts(), st.booleans(), st.integers(1, 40))
def test_a_file_a_pipe_and_a_body_are_read_alike(text: str, header: bool, size: int) -> None:
    trained = CsvDialect(separator=",", decimal=".", header=header)
    expected = rows_of(read(text, trained=trained))
    assert rows_of(read(text, size=size, trained=trained)) == expected
    spec = SimpleNamespace(dialect=trained, missing_values=())
    model = cast("AnyModel", SimpleNamespace(names=["first"], plain_number_columns=frozenset(), spec=spec))
    content_type = ContentType(MediaType.CSV, "utf-8")
    try:
        body = read_delimited_body(text.encode(), content_type, model, 1_000)
    except NncliError:
        assert expected is None
    else:
        assert rows_of([body]) == expected


@pytest.mark.parametrize("header", [True, False])
@pytest.mark.parametrize(
    ("text", "repaired", "line"),
    [
        ('1,"a,b","x\n2,"c,d",y\n3,"e,f",z\n', '1,"a,b","x"\n2,"c,d",y\n3,"e,f",z\n', 1),
        ('\n1,"a,b","x\n2,"c,d",y\n3,"e,f",z\n', '\n1,"a,b",x\n2,"c,d",y\n3,"e,f",z\n', 2),
        ('a,b,"y\n' + 'n,"t, n",1\n' * 40, 'a,b,"""y"\n' + 'n,"t, n",1\n' * 40, 1),
        ('"Big" Mac,"1,2"\nx,1\ny,2\n', '"""Big"" Mac","1,2"\nx,1\ny,2\n', 1),
        ('"a"b\n', '"""a""b"\n', 1),
    ],
)
def test_unclear_quotes_at_the_beginning_are_refused_with_a_hint_that_helps(
    tmp_path: Path, text: str, repaired: str, line: int, header: bool
) -> None:
    path = tmp_path / "t.csv"
    path.write_text(text)
    with raises(DataError, file="t.csv", line=line, mentions="quote"):
        read_table(path, dialect=CsvDialect(header=header))
    path.write_text(repaired)
    assert len(read_table(path, dialect=CsvDialect(header=header))) == len(records_of(repaired)[0]) - header


@pytest.mark.parametrize("row", [1, 2])
def test_a_configured_header_may_stand_below_unclear_quotes_but_not_have_them(row: int) -> None:
    tables = read('"Big" Mac\nname,city\nann,oslo\n', header_row=row)
    assert rows_of(tables) == (None if row == 1 else (["name", "city"], [("ann", "oslo")]))


def test_titles_above_a_table_without_a_header_are_noted() -> None:
    (table,) = read("A title above\n\n1,2,x\n3,4,y\n", header=False) or []
    assert len(table) == 2
    assert "line 3, below a title" in table.notes[0]


def test_an_empty_row_of_tabs_is_one_of_the_configured_rows_below() -> None:
    options = ReadOptions(CsvDialect(separator="\t", footer_rows=1))
    tables = read_delimited(io.BytesIO(b"a\tb\n1\t2\n3\t4\n\t\n"), "x.tsv", options)
    assert rows_of([*tables]) == (["a", "b"], [("1", "2"), ("3", "4")])
