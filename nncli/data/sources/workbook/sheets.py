"""Choose the sheet of a workbook that a source means."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from nncli.base.errors import DataError, Location, UsageError
from nncli.base.text import closest_match, join_quoted, quote

if TYPE_CHECKING:
    from python_calamine import CalamineWorkbook

MAX_LISTED = 12


def sheet_names(workbook: CalamineWorkbook) -> tuple[list[str], list[str]]:
    """The names of the sheets with cells, visible ones and hidden ones, in their order."""
    from python_calamine import SheetTypeEnum, SheetVisibleEnum

    sheets = [sheet for sheet in workbook.sheets_metadata if sheet.typ == SheetTypeEnum.WorkSheet]
    visible = [sheet.name for sheet in sheets if sheet.visible == SheetVisibleEnum.Visible]
    return visible, [sheet.name for sheet in sheets if sheet.visible != SheetVisibleEnum.Visible]


def named_sheet(wanted: str | int, visible: Sequence[str], hidden: Sequence[str], source: str) -> str:
    """The name of the sheet that is named, or that has a number among the visible ones, from 1.

    Digits are a name if there is such a sheet, else a number. Upper and lower case do not matter, as in spreadsheets.

    Raises:
        UsageError: there is no such sheet; the hint has the nearest name.
    """
    names = [*visible, *hidden]
    if isinstance(wanted, str):
        found = [name for name in names if name == wanted] or [n for n in names if n.casefold() == wanted.casefold()]
        if found:
            return found[0]
    number = int(wanted) if isinstance(wanted, int) or (wanted.isascii() and wanted.isdigit()) else None
    if number is not None and 1 <= number <= len(visible):
        return visible[number - 1]
    near = closest_match(wanted, names) if isinstance(wanted, str) else None
    raise UsageError(
        f"there is no sheet {wanted if number is not None else quote(str(wanted))}",
        location=Location(source=source),
        hint=f"Did you mean {quote(near)}?" if near else f"The sheets are {join_quoted(names)}.",
    )


def sheets_with_table(sizes: Sequence[tuple[str, int, int]], source: str) -> list[str]:
    """The names of the sheets that have a table; `sizes` are the name, rows and columns of each.

    A sheet with one row or one column is a table only if there is no larger one.

    Raises:
        DataError: all are empty.
    """
    filled = [name for name, rows, _ in sizes if rows]
    if not filled:
        raise DataError("the workbook is empty", location=Location(source=source))
    return [name for name, rows, columns in sizes if rows > 1 and columns > 1] or filled


def ambiguous_sheet(names: Sequence[str], sizes: Sequence[tuple[str, int, int]], source: str) -> UsageError:
    """The error that lists the sheets with a table, of which none is named."""
    rows = {name: count for name, count, _ in sizes}
    listed = ", ".join(f"{quote(name)} ({rows[name]:,} rows)" for name in names[:MAX_LISTED])
    more = f" and {len(names) - MAX_LISTED:,} more" if len(names) > MAX_LISTED else ""
    return UsageError(
        f"the workbook has {len(names):,} sheets with tables: {listed}{more}",
        location=Location(source=source),
        hint=f"Name one, such as --sheet {quote(names[0])}, or data.sheet in a configuration.",
    )
