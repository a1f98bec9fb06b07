"""What a file with the name of a workbook really is, by its first bytes and its members."""

from __future__ import annotations

from nncli.base.errors import DataError, Location
from nncli.data.formats.input_file import InputFile
from nncli.data.formats.streams import translate_os_errors
from nncli.data.sources.workbook.hidden.facts import WorkbookFile, encrypted
from nncli.data.sources.workbook.hidden.ods import CONTENT, OdsFile
from nncli.data.sources.workbook.hidden.ole_file import OleFile
from nncli.data.sources.workbook.hidden.xls import XlsFile
from nncli.data.sources.workbook.hidden.xlsb import WORKBOOK_BINARY, XlsbFile
from nncli.data.sources.workbook.hidden.xlsx import WORKBOOK, XlsxFile
from nncli.data.sources.workbook.hidden.zip_file import ZipFile

ZIP_MAGIC = b"PK\x03\x04"
OLE_MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
MANIFEST = "META-INF/manifest.xml"
"""The member of .ods that says how the others are encrypted; newer programs encrypt them all as one."""
SAVE_AS = "Open it in a spreadsheet program and save it as .xlsx."
HTML = (b"<html", b"<!doctype html", b"<table", b"<head", b"<meta", b"<style", b"<div")
HEAD = 4096


def workbook_file(data: bytes, source: str) -> WorkbookFile:
    """The workbook of these bytes, by their format; `source` is the name of the file in messages.

    Raises:
        DataError: they are no workbook, or one with a password, or damaged.
    """
    if data.startswith(ZIP_MAGIC):
        archive = ZipFile(data, source)
        if MANIFEST in archive and b"encryption-data" in archive.read(MANIFEST):
            raise encrypted(source)
        archive.check()
        if WORKBOOK in archive:
            return XlsxFile(archive)
        if WORKBOOK_BINARY in archive:
            return XlsbFile(archive)
        if CONTENT in archive:
            return OdsFile(archive)
        raise _no_workbook("a zip archive without a workbook in it", "Extract the file in it first.", source)
    if data.startswith(OLE_MAGIC):
        return XlsFile(OleFile(data, source))
    raise _no_workbook(*_description(data), source)


def read_bytes(file: InputFile) -> bytes:
    """The bytes of a workbook.

    Raises:
        DataError: the file cannot be read, or is empty.
    """
    assert file.path is not None
    with translate_os_errors(file.path):
        data = file.path.read_bytes()
    if not data:
        raise DataError("the file is empty", location=Location(source=file.name))
    return data


def _no_workbook(what: str, hint: str, source: str) -> DataError:
    return DataError(f"this is no workbook but {what}", location=Location(source=source), hint=hint)


def _description(data: bytes) -> tuple[str, str]:
    """What a file is that is no workbook, and what to do."""
    head = data[:HEAD].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if head.startswith(HTML) or b"<html" in head or b"<table" in head:
        return "a web page (HTML)", SAVE_AS
    if head.startswith(b"<?xml"):
        return "an XML file", SAVE_AS
    if head.startswith(b"%pdf"):
        return "a PDF file", "Export its table as a workbook or as CSV."
    if b"\0" not in data[:HEAD]:
        return "a text file", "If it is a CSV, name it .csv, or set its format (--format csv)."
    return "a file of an unknown kind", SAVE_AS
