"""Time and memory of reading tables from where they live, beside the driver or reader of each alone.

    python benchmarks/sources.py
    python benchmarks/sources.py --rows 0.1        # a tenth of the rows

A table of 2,000,000 rows of 18 numeric columns, 2 of text and a target as CSV, as Parquet, and as 100 files of either
is read and encoded for training. 1,000,000 rows of PostgreSQL are read in batches, beside ADBC alone, and a
workbook of 200,000 rows of 20 columns beside calamine alone. Each in a process of its own, without its imports.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from functools import partial
from pathlib import Path
from statistics import median

from results import Cell, Goal, Report, show
from timing import ROOT, Run, in_rounds, make_csv, parser, ratio, run

ROWS, QUERY_ROWS, SHEET_ROWS, FILES = 2_000_000, 1_000_000, 200_000, 100

PREPARE = """
import sys, time
from nncli.fitting.prepare.prepare import prepare
from nncli.config.loading import load_config
config = load_config(sys.argv[1])
start = time.perf_counter()
prepare(config)
print(time.perf_counter() - start)
"""
READ = """
import json, sys, time
from nncli.data.sources.read_table import read_chunks
from nncli.data.sources.table_source import TableSource
import polars, numpy
source = TableSource(**json.loads(sys.argv[1]))
start = time.perf_counter()
print(sum(len(table) for table in read_chunks(source)), file=sys.stderr)
print(time.perf_counter() - start)
"""
CALAMINE = """
import sys, time, python_calamine
start = time.perf_counter()
python_calamine.load_workbook(sys.argv[1]).get_sheet_by_index(0).to_python()
print(time.perf_counter() - start)
"""
ADBC = """
import sys, time
import polars
from adbc_driver_postgresql import dbapi
start = time.perf_counter()
with dbapi.connect(sys.argv[1]) as connection, connection.cursor() as cursor:
    cursor.execute(sys.argv[2])
    polars.DataFrame(cursor.fetch_arrow())
print(time.perf_counter() - start)
"""
SPLIT = """
import sys, polars
from pathlib import Path
table, folder, files = polars.read_csv(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
table.write_parquet(folder / "whole.parquet")
for suffix in ("csv", "parquet"):
    (folder / suffix).mkdir()
rows = -(-table.height // files)
for i in range(files):
    part = table.slice(i * rows, rows)
    part.write_csv(folder / "csv" / f"{i:03}.csv")
    part.write_parquet(folder / "parquet" / f"{i:03}.parquet")
"""
WORKBOOK = """
import sys, random
from openpyxl import Workbook
book = Workbook(write_only=True)
sheet, draw = book.create_sheet("t"), random.Random(0)
sheet.append([f"x{j}" for j in range(20)])
for i in range(int(sys.argv[2])):
    sheet.append([draw.random() for _ in range(17)] + [i, f"label {i % 7}", draw.choice("abc")])
book.save(sys.argv[1])
"""
FILL = """
CREATE TABLE made AS SELECT i AS id, random() AS x1, random() AS x2, random() AS x3, random() AS x4, random() AS x5,
  i % 97 AS n, 'label ' || i % 7 AS word, DATE '2020-01-01' + (i % 900)::int AS day, i % 2 = 0 AS flag
FROM generate_series(1, {rows}) AS i
"""


def arguments() -> argparse.ArgumentParser:
    options_parser = parser(__doc__, rounds=3)
    options_parser.add_argument("--rows", type=float, default=1.0, help="a factor for all numbers of rows (default 1)")
    return options_parser


def configured(table: Path) -> Path:
    """A configuration for a table, beside it."""
    path = table.parent / f"{table.name}.yaml"
    path.write_text(f"data: {{path: {table}, target: y}}\nvalidation: 0\nlayers: [32]\nepochs: 1\n")
    return path


def seconds_of(result: dict[str, list[Run]]) -> dict[str, list[float]]:
    """What each process printed."""
    return {title: [float(done.output) for done in runs] for title, runs in result.items()}


def rows_of(result: dict[str, list[Run]]) -> list[list[Cell]]:
    """The medians of seconds and memory."""
    seconds = seconds_of(result)
    return [[title, median(seconds[title]), median(done.mib for done in result[title])] for title in result]


def files(folder: Path, rows: int, rounds: int) -> Report:
    """Read and encode a table from one file and from many, of text and of columns."""
    whole = make_csv(folder / "whole.csv", rows=rows, numeric=18, text=2, classes=1)
    run(["-c", SPLIT, whole, folder, str(FILES)])
    tables = {
        "CSV": whole,
        "Parquet": folder / "whole.parquet",
        f"CSV, {FILES} files": folder / "csv",
        f"Parquet, {FILES} files": folder / "parquet",
    }
    result = in_rounds(
        {title: partial(run, ["-c", PREPARE, configured(table)]) for title, table in tables.items()}, rounds
    )
    seconds, mib = seconds_of(result), {title: median(done.mib for done in runs) for title, runs in result.items()}
    goals = [Goal("rate of Parquet against CSV", ratio(seconds["CSV"], seconds["Parquet"]), "≥", 2.0)]
    goals += [
        Goal(f"{FILES} files of {kind} against one", ratio(seconds[f"{kind}, {FILES} files"], seconds[kind]), "≤", 1.1)
        for kind in ("CSV", "Parquet")
    ]
    goals += [Goal(f"memory of {title} against CSV", size / mib["CSV"], "≤", 1.1) for title, size in mib.items()][1:]
    note = (
        f"{rows:,} rows of 18 numeric columns and 2 of text, read and encoded; seconds without imports, "
        f"medians of {rounds} rounds."
    )
    return Report("Files and folders", note, ("source", "seconds", "MiB"), rows_of(result), goals)


def database(_: Path, rows: int, rounds: int) -> Report:
    """Read a table of PostgreSQL in batches, beside the driver alone."""
    sys.path.insert(0, str(ROOT))
    from tests.services.servers import postgresql_server, run_sql

    with postgresql_server() as server:
        run_sql(server.url, FILL.format(rows=rows))
        query = "SELECT * FROM made"
        source = json.dumps({"path": server.url, "query": query})
        tasks = {
            "nncli": partial(run, ["-c", READ, source]),
            "ADBC": partial(run, ["-c", ADBC, server.url, query]),
        }
        result = in_rounds(tasks, rounds)
    goals = [Goal("PostgreSQL against ADBC alone", ratio(*seconds_of(result).values()), "≤", 1.3)]
    note = (
        f"{rows:,} rows of 10 columns over loopback; ADBC keeps all rows, nncli reads them in batches; "
        f"medians of {rounds} rounds."
    )
    return Report("PostgreSQL", note, ("reader", "seconds", "MiB"), rows_of(result), goals)


def workbook(folder: Path, rows: int, rounds: int) -> Report:
    """Read a workbook, beside calamine alone."""
    book = folder / "book.xlsx"
    run(["-c", WORKBOOK, book, str(rows)])
    tasks = {
        "nncli": partial(run, ["-c", READ, json.dumps({"path": str(book)})]),
        "calamine": partial(run, ["-c", CALAMINE, book]),
    }
    result = in_rounds(tasks, rounds)
    goals = [Goal("a workbook against calamine alone", ratio(*seconds_of(result).values()), "≤", 1.3)]
    note = f"{rows:,} rows of 20 columns; medians of {rounds} rounds."
    return Report("Workbooks", note, ("reader", "seconds", "MiB"), rows_of(result), goals)


def measure(options: argparse.Namespace) -> list[Report]:
    reports = []
    for part, rows in ((files, ROWS), (database, QUERY_ROWS), (workbook, SHEET_ROWS)):
        with tempfile.TemporaryDirectory() as name:
            reports.append(part(Path(name), int(rows * options.rows), options.rounds))
            show(reports[-1:])
    return reports


if __name__ == "__main__":
    measure(arguments().parse_args())
