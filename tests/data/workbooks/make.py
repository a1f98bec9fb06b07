"""Write the workbooks of this folder anew; see README.md."""

from __future__ import annotations

import datetime
import subprocess
from pathlib import Path
from typing import Any

from openpyxl import Workbook
from openpyxl.utils.datetime import CALENDAR_MAC_1904

FOLDER = Path(__file__).parent
SALES: list[list[Any]] = [
    ["city", "opened", "sold at", "price", "share", "double", "open"],
    ["Oslo", datetime.date(2024, 5, 31), datetime.datetime(2024, 5, 31, 14, 30), 12.5, 0.12, "=D4*2", True],
    ["Rome", datetime.date(2024, 6, 1), datetime.datetime(2024, 6, 1, 9, 15, 30), 7, 0.5, "=D5*2", False],
    ["Lima", datetime.date(1999, 12, 31), datetime.datetime(2000, 1, 1), None, 1, "=D6*2", True],
    ["Rome", datetime.date(2024, 6, 3), datetime.datetime(2024, 6, 3, 23, 59, 59), 3.25, 0.25, "=NA()", False],
]
SHEETS: dict[str, list[list[Any]]] = {
    "Errors": [["a", "b", "c"], [1, 2, "x"], [3, "=1/0", "y"], [5, 6, "=VLOOKUP(9,A1:A2,1,0)"], [7, "=NO(1)", '=""']],
    "Merged": [
        ["region", "city", "n"],
        ["north", "Oslo", 1],
        [None, "Moss", 2],
        ["south", "Rome", 3],
        [None, "Bari", 4],
    ],
    "Wide": [["x", "y", "z"], [1, 2, 3], [4, 5, 6]],
    "Times": [
        ["at", "lasted"],
        [datetime.time(14, 30), datetime.timedelta(hours=30)],
        [datetime.time(0, 0, 1), datetime.timedelta(minutes=1)],
    ],
    "Hidden": [["a", "b"], [1, 2]],
}
MERGED = {"Merged": ["A2:A3", "A4:A5"], "Wide": ["A2:B2"]}
FILTERS = ["xlsx:Calc MS Excel 2007 XML", "xls", "ods"]


def write_workbook(path: Path, *, since_1904: bool) -> None:
    """A sheet with a title, a table and a note, sheets with errors, merged cells and times, and a hidden one."""
    workbook = Workbook()
    if since_1904:
        workbook.epoch = CALENDAR_MAC_1904
    sales = workbook.active
    sales.title = "Sales"
    sales["A1"] = "Sales by city"
    sales.merge_cells("A1:G1")
    for i, row in enumerate(SALES):
        for j, value in enumerate(row):
            cell = sales.cell(i + 3, j + 1, value)
            if i and j == 4:
                cell.number_format = "0%"
    sales["A9"] = "Source: the office"
    for name, rows in SHEETS.items():
        sheet = workbook.create_sheet(name)
        for row in rows:
            sheet.append(row)
        for cells in MERGED.get(name, []):
            sheet.merge_cells(cells)
    workbook["Hidden"].sheet_state = "hidden"
    workbook.save(path)


def main() -> None:
    """Write the workbooks by openpyxl, and convert them by LibreOffice, which computes their formulas."""
    for name in ("since-1900", "since-1904"):
        path = FOLDER / f"{name}.xlsx"
        write_workbook(path, since_1904=name.endswith("1904"))
        for to in FILTERS:
            subprocess.run(["soffice", "--headless", "--convert-to", to, "--outdir", FOLDER / "made", path], check=True)
        for workbook_path in (FOLDER / "made").iterdir():
            workbook_path.rename(FOLDER / f"libreoffice-{workbook_path.name}")
        path.rename(FOLDER / f"openpyxl-{path.name}")
    (FOLDER / "made").rmdir()


if __name__ == "__main__":
    main()
