"""Files that are damaged, hostile, or no workbooks."""

from __future__ import annotations

import io
import shutil
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from nncli.base.errors import DataError
from tests.data.sources.workbook.support import ROWS, read, write
from tests.data.sources.workbook.xlsb import cell, write_xlsb

WORKBOOKS = Path("tests/data/workbooks")
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


def change(path: Path, member: str, edit: Callable[[bytes], bytes]) -> None:
    """Change a member of a zip archive."""
    with zipfile.ZipFile(path) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    members[member] = edit(members[member])
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)


SHEET = "xl/worksheets/sheet1.xml"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"<html><table><tr><td>1</td></tr></table></html>", "HTML"),
        (b"\xef\xbb\xbf\r\n<!DOCTYPE html>\n<html>", "HTML"),
        (b"city;rooms\nOslo;3\n", "text"),
        (b"%PDF-1.7\n", "PDF"),
        (b'<?xml version="1.0"?><Workbook/>', "XML"),
        (b"", "empty"),
        (b"\0\1\2", "unknown"),
        (OLE + bytes(600), "damaged"),
        (b"PK\3\4" + bytes(100), "damaged"),
    ],
)
def test_a_file_that_is_no_workbook_is_named(tmp_path: Path, data: bytes, words: str) -> None:
    for suffix in (".xlsx", ".xls", ".ods"):
        path = tmp_path / f"t{suffix}"
        path.write_bytes(data)
        with pytest.raises(DataError) as caught:
            read(path)
        assert words in caught.value.message
        assert caught.value.location is not None
        assert caught.value.location.source == str(path)


def test_a_zip_without_a_workbook_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "t.xlsx", "w") as archive:
        archive.writestr("t.csv", "a\n1\n")
    with pytest.raises(DataError, match="zip archive"):
        read(tmp_path / "t.xlsx")


def test_the_content_decides_which_kind_of_workbook_it_is(tmp_path: Path) -> None:
    shutil.copy(WORKBOOKS / "libreoffice-since-1900.xls", tmp_path / "t.xlsx")
    assert len(read(tmp_path / "t.xlsx", sheet="Sales")) == 4


@pytest.mark.parametrize("suffix", ["xlsx", "xls", "ods"])
def test_a_truncated_file_is_refused_at_every_length(tmp_path: Path, suffix: str) -> None:
    original = WORKBOOKS / f"libreoffice-since-1900.{suffix}"
    data, table = original.read_bytes(), read(original, sheet="Sales")
    path = tmp_path / f"t.{suffix}"
    for size in range(1, len(data), 613):
        path.write_bytes(data[:size])
        try:
            result = read(path, sheet="Sales")
        except DataError:
            continue
        assert suffix == "xls"  # whose last bytes may be other than cells
        assert result.frame.equals(table.frame)


def test_a_workbook_without_cells_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="empty"):
        read(write(tmp_path / "t.xlsx", {"A": [], "B": []}))
    with pytest.raises(DataError, match="empty"):
        read(tmp_path / "t.xlsx", sheet="A")


@pytest.mark.slow
def test_a_zip_bomb_is_refused_by_its_declared_size(tmp_path: Path) -> None:
    path = write(tmp_path / "t.xlsx", ROWS)
    change(path, "xl/styles.xml", lambda text: text + b" " * (101 << 20))
    with pytest.raises(DataError, match="decompresses"):
        read(path)


def test_a_zip_bomb_that_declares_a_small_size_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "t.xlsx", ROWS)
    change(path, SHEET, lambda text: text.replace(b"</sheetData>", b" " * 1_000_000 + b"</sheetData>"))
    data = path.read_bytes()
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        info = archive.getinfo(SHEET)
        text = archive.read(info)
    size, small = struct.pack("<I", info.file_size), struct.pack("<I", 1000)
    crc, other = struct.pack("<I", info.CRC), struct.pack("<I", zlib.crc32(text[:1000]))
    assert data.count(crc) == 2  # before the member, and in the directory at the end
    path.write_bytes(data.replace(size, small).replace(crc, other))
    with pytest.raises(DataError, match="decompresses"):
        read(path)


def test_a_cell_far_away_does_not_fill_the_memory(tmp_path: Path) -> None:
    path = write(tmp_path / "t.xlsx", ROWS)
    far = b'<row r="1048576"><c r="XFD1048576"><v>1</v></c></row></sheetData>'
    change(path, SHEET, lambda text: text.replace(b"</sheetData>", far))
    with pytest.raises(DataError, match="1,048,576 rows and 16,384 columns"):
        read(path)


def test_repeated_cells_of_ods_do_not_fill_the_memory(tmp_path: Path) -> None:
    path = tmp_path / "t.ods"
    shutil.copy(WORKBOOKS / "libreoffice-since-1900.ods", path)
    change(
        path,
        "content.xml",
        lambda text: text.replace(
            b"</table:table>",
            b'<table:table-row table:number-rows-repeated="1000000"><table:table-cell office:value-type="float" '
            b'office:value="1" table:number-columns-repeated="16000"/></table:table-row></table:table>',
            1,
        ),
    )
    with pytest.raises(DataError, match="rows and 16,000 columns"):
        read(path, sheet="Hidden")


def test_entities_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "t.xlsx", ROWS)
    change(path, "xl/workbook.xml", lambda text: b'<!DOCTYPE x [<!ENTITY a "b">]>' + text)
    with pytest.raises(DataError, match="damaged"):
        read(path)


def assert_encrypted(path: Path) -> None:
    with pytest.raises(DataError, match="encrypted with a password") as caught:
        read(path)
    assert caught.value.location is not None
    assert caught.value.location.source == str(path)
    assert "save it without" in str(caught.value.hint)


@pytest.mark.parametrize("suffix", [".xlsx", ".xlsm", ".xlsb", ".xls", ".ods"])
def test_a_package_with_a_password_is_told_under_any_name(tmp_path: Path, suffix: str) -> None:
    shutil.copy(WORKBOOKS / "password.xlsx", tmp_path / f"t{suffix}")
    assert_encrypted(tmp_path / f"t{suffix}")


def test_an_old_workbook_with_a_password_is_told(tmp_path: Path) -> None:
    data = bytearray((WORKBOOKS / "libreoffice-since-1900.xls").read_bytes())
    start = data.index(b"\x09\x08\x10\x00")  # the first record of the workbook, 16 bytes long
    data[start + 20 : start + 22] = b"\x2f\x00"
    (tmp_path / "t.xls").write_bytes(data)
    assert_encrypted(tmp_path / "t.xls")


MANIFEST = (
    '<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0">'
    '<manifest:file-entry manifest:full-path="{}"><manifest:encryption-data/></manifest:file-entry>'
    "</manifest:manifest>"
)


@pytest.mark.parametrize("member", ["content.xml", "encrypted-package"])
def test_an_open_document_with_a_password_is_told(tmp_path: Path, member: str) -> None:
    """Members are encrypted one by one, or all of them as one, as LibreOffice does since 24.8."""
    with zipfile.ZipFile(tmp_path / "t.ods", "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr(member, bytes(range(256)))
        archive.writestr("META-INF/manifest.xml", MANIFEST.format(member))
    assert_encrypted(tmp_path / "t.ods")


def test_an_archive_with_encrypted_members_is_told(tmp_path: Path) -> None:
    path = write(tmp_path / "t.xlsx", ROWS)
    data = bytearray(path.read_bytes())
    entry = data.index(b"PK\1\2")
    data[entry + 8] |= 1
    path.write_bytes(data)
    assert_encrypted(path)


def test_a_member_without_a_name_is_no_member(tmp_path: Path) -> None:
    path = write(tmp_path / "t.xlsx", ROWS)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(zipfile.ZipInfo(""), "")
    assert len(read(path)) == 3


def test_a_member_before_the_beginning_of_the_file_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "t.xlsx", ROWS)
    path.write_bytes(path.read_bytes()[40:])
    with pytest.raises(DataError):
        read(path)
    data = bytearray(write(tmp_path / "u.xlsx", ROWS).read_bytes())
    place = data.index(b"PK\5\6") + 16  # of the directory, by which the places of the members are corrected
    data[place : place + 4] = struct.pack("<I", int.from_bytes(data[place : place + 4], "little") + 40)
    path.write_bytes(data)
    with pytest.raises(DataError, match="outside"):
        read(path)


def test_a_cell_beyond_the_columns_of_its_format_is_refused(tmp_path: Path) -> None:
    path = write_xlsb(tmp_path / "t.xlsb", [["a", "b"], [1, "x"]])
    sheet = "xl/worksheets/sheet1.bin"
    change(path, sheet, lambda data: data.replace(cell(1, "x"), cell(9_000_000, "x")))
    with pytest.raises(DataError, match="columns"):
        read(path)
    data = bytearray((WORKBOOKS / "libreoffice-since-1900.xls").read_bytes())
    number = data.index(b"\x03\x02\x0e\x00") + 4  # a record of a number: row, column, ...
    data[number + 2 : number + 4] = b"\x00\xf0"
    (tmp_path / "t.xls").write_bytes(data)
    with pytest.raises(DataError, match="column 256"):
        read(tmp_path / "t.xls", sheet="Sales")


def test_values_that_a_program_invents_are_no_values(tmp_path: Path) -> None:
    path = write(tmp_path / "t.xlsx", [["a", "b"], [1, "=A2"], [2, "=A3"]])
    change(path, SHEET, lambda text: text.replace(b"<v></v>", b"<v>0</v>").replace(b"<v />", b"<v>0</v>"))
    with pytest.raises(DataError, match="never computed"):
        read(path)
    change(path, "xl/workbook.xml", lambda text: text.replace(b'fullCalcOnLoad="1"', b""))
    assert read(path).frame["b"].to_list() == [0, 0]


@pytest.mark.parametrize("total", ["=SUM(B4:B13)", "#REF!"])
def test_a_total_that_cannot_be_read_is_left_out_by_the_range_that_is_named(tmp_path: Path, total: str) -> None:
    rows = [["Customers"], [], ["a", "b"], *([i, i * 2] for i in range(10))]
    with pytest.raises(DataError) as caught:
        read(write(tmp_path / "t.xlsx", [*rows, ["total", total]]))
    assert "--range A3:B13" in str(caught.value.hint)
    assert read(tmp_path / "t.xlsx", cells="A3:B13").frame.shape == (10, 2)
    with pytest.raises(DataError) as caught:
        read(write(tmp_path / "u.xlsx", [*rows[:5], [1, total], *rows[5:]]))
    assert "--range" not in str(caught.value.hint)


def test_prefixes_quotes_and_missing_addresses_of_xml_are_read(tmp_path: Path) -> None:
    path = write(tmp_path / "t.xlsx", ROWS)
    rows = (
        "<x:row><x:c t='inlineStr'><x:is><x:t>a</x:t></x:is></x:c>"
        "<x:c t='inlineStr'><x:is><x:t>b</x:t></x:is></x:c></x:row>"
        "<x:row><x:c><x:v>1</x:v></x:c><x:c t='e'><x:v>#REF!</x:v></x:c></x:row>"
    )
    name = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    sheet = f"<x:worksheet xmlns:x='{name}'><x:sheetData>{rows}</x:sheetData></x:worksheet>"
    change(path, SHEET, lambda _: sheet.encode())
    with pytest.raises(DataError, match="B2 has the error #REF!"):
        read(path)
    change(path, SHEET, lambda text: text.replace(b" t='e'><x:v>#REF!", b"><x:v>5"))
    assert read(path).frame.to_dict(as_series=False) == {"a": [1], "b": [5]}


def test_a_member_that_ends_before_its_size_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "t.xlsx", ROWS)
    data = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo(SHEET)
    sizes = struct.pack("<II", info.compress_size, info.file_size)
    longer = struct.pack("<II", info.compress_size + 100_000, info.file_size + 9)
    path.write_bytes(data.replace(sizes, longer))
    with pytest.raises(DataError, match="damaged"):
        read(path)


def test_a_sheet_of_xls_that_ends_before_it_begins_is_refused(tmp_path: Path) -> None:
    data = bytearray((WORKBOOKS / "libreoffice-since-1900.xls").read_bytes())
    start = data.index(b"\x00\x02\x0e\x00") + 4  # the record of the size: first row, last row, ...
    data[start : start + 4] = b"\xff\0\0\0"
    (tmp_path / "t.xls").write_bytes(data)
    with pytest.raises(DataError, match="damaged"):
        read(tmp_path / "t.xls")
