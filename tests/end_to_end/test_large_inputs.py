"""Inputs that are much larger than any person's end soon, as what they are."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.cli.support import DATA, Cli

SECONDS = 12
"""Several times what an idle machine takes."""
XOR = f"data: {{path: {DATA}/xor.csv, target: label}}\n"
ENDLESS = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT x, 2 * x AS y FROM c"


@contextmanager
def soon() -> Iterator[None]:
    start = time.monotonic()
    yield
    assert time.monotonic() - start < SECONDS


CONFIGURATIONS = {
    "keys": (XOR + "".join(f"key{i}: {i}\n" for i in range(100_000)), 3),
    "keys of a section": (XOR + "optimizer:\n  type: adam\n" + "".join(f"  key{i}: {i}\n" for i in range(100_000)), 3),
    "layers": (XOR + "layers:\n" + "- 4\n" * 3_000, 0),
    "a string": (XOR + f'layers: [4]\nname: "{"x" * 2_000_000}"\n', 3),
    "a path": (f'data: {{path: "{"x" * 2_000_000}", target: label}}\n', 3),
    "a choice": (XOR + f'loss: "{"x" * 2_000_000}"\n', 3),
    "a key": (XOR + f"{'x' * 2_000_000}: 1\n", 3),
    "a syntax error at the end": (XOR + "".join(f"key{i}: {i}\n" for i in range(900)) + "- " * 300_000, 3),
}


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_a_large_configuration_is_shown_or_refused_soon(nncli: Cli, tmp_path: Path, name: str) -> None:
    text, code = CONFIGURATIONS[name]
    (tmp_path / "c.yaml").write_text(text)

    with soon():
        shown = nncli("config", "show", str(tmp_path / "c.yaml")).check(code)
    assert len(shown.err) < 100_000


def test_a_huge_manifest_is_refused_at_once(nncli: Cli, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    with (tmp_path / "run" / "manifest.json").open("wb") as file:
        file.truncate(200 << 20)

    with soon():
        nncli("show", str(tmp_path / "run")).check(5)


def test_the_head_of_a_wide_table_shows_its_first_columns(nncli: Cli, tmp_path: Path) -> None:
    table = tmp_path / "wide.csv"
    rows = [",".join(f"c{i}" for i in range(50_000)), *(",".join([f"{i}.5"] * 50_000) for i in range(20))]
    table.write_text("\n".join(rows))

    with soon():
        shown = nncli("head", str(table)).check()
    assert "50,000 columns" in shown.out
    assert len(shown.out.splitlines()) < 1_010
    assert "--columns 50000" in shown.err


@pytest.mark.parametrize("kind", ["sqlite", "duckdb"])
def test_the_head_of_a_query_without_an_end_reads_its_first_rows(nncli: Cli, tmp_path: Path, kind: str) -> None:
    file = tmp_path / "t.db"
    if kind == "duckdb":
        pytest.importorskip("duckdb").connect(str(file)).close()
    else:
        with closing(sqlite3.connect(file)) as database:
            database.execute("CREATE TABLE t (a)")

    with soon():
        shown = nncli("head", f"{kind}:///{file}", "--query", ENDLESS).check()
    assert "more than 10,000 rows" in shown.out
