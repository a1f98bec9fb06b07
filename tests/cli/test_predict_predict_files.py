"""`nncli predict` into a folder: what it prints, its exit code, and what is refused."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import polars as pl
import pytest

from tests.cli.support import DATA, Cli, on_terminal, run, start

LINES = (DATA / "penguins.csv").read_text().splitlines(keepends=True)


@pytest.fixture(autouse=True)
def inputs(here: Path) -> Path:
    """A folder `in` with three files and one that is no table of the model."""
    Path("in").mkdir()
    for i in range(3):
        Path(f"in/{i}.csv").write_text("".join([LINES[0], *LINES[1 + 50 * i : 51 + 50 * i]]))
    return here


def test_a_failed_file_is_named_and_the_others_are_predicted(nncli: Cli, penguins: Path) -> None:
    Path("in/1b.csv").write_text("other\n1\n")
    first = nncli("predict", penguins, "in/*.csv", "-o", "out/", "--workers", 1).check(4)
    assert first.out == ""
    errors = [line for line in first.err.splitlines() if line.startswith("error: ")]
    assert [error.split(": ")[1] for error in errors] == ["in/1b.csv"]
    assert first.err.splitlines()[-1] == "3 of 4 files predicted, 1 failed, 150 rows"
    Path("in/1b.csv").write_text("".join(LINES[:11]))
    second = nncli("predict", penguins, "in/*.csv", "-o", "out", "--workers", 1).check()
    assert second.err.splitlines()[-1] == "4 of 4 files predicted, 3 of them before, 10 rows"
    third = nncli("predict", penguins, "in/*.csv", "-o", "out", "-q").check()
    assert (third.out, third.err) == ("", "")


def test_files_that_the_shell_names_are_predicted_each(nncli: Cli, penguins: Path) -> None:
    nncli("predict", penguins, "in/0.csv", "in/1.csv", "-o", "out/", "--format", "parquet", "--workers", 1).check()
    assert sorted(path.name for path in Path("out").iterdir() if path.name[0] != ".") == ["0.parquet", "1.parquet"]
    assert len(pl.read_parquet("out/1.parquet")) == 50


@pytest.mark.parametrize(
    ("words", "mentions"),
    [
        (["in/0.csv", "in/1.csv"], "-o"),
        (["in/0.csv", "in/1.csv", "-o", "out.csv"], "-o"),
        (["in/0.csv", "--workers", 2], "--workers"),
        (["in/0.csv", "-o", "out"], "-o out/"),
        (["in/0.csv", "-o", "out.csv", "--scheduler", "tcp://127.0.0.1:1"], "--scheduler"),
        (["-", "-o", "out/"], "-o"),
        (["in/0.csv", "-o", "in"], "-o"),
        (["in/0.csv", "-o", "there"], "--force"),
        (["in", "-o", "out/", "--workers", 0], "--workers"),
    ],
)
def test_what_is_refused(nncli: Cli, penguins: Path, words: list[object], mentions: str) -> None:
    Path("there").mkdir()
    Path("there/0.csv").touch()
    done = nncli("predict", penguins, *words).check(2)
    assert mentions in done.err
    assert not Path("out").exists()


def test_a_pattern_that_matches_nothing_ends_with_what_is_near(nncli: Cli, penguins: Path) -> None:
    done = nncli("predict", penguins, "in/*.cvs", "-o", "out/").check(4)
    assert "*.csv'" in done.err


def test_ctrl_c_keeps_what_is_done(penguins: Path) -> None:
    body = "".join(LINES[1:]) * 300
    for i in range(3, 9):
        Path(f"in/{i}.csv").write_text(LINES[0] + body)
    with start("predict", penguins, "in", "-o", "out/", "--workers", 2, cwd=Path.cwd()) as process:
        while not list(Path("out").glob("*.csv")) and process.poll() is None:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert b"Traceback" not in err
    done = {path: path.stat().st_mtime_ns for path in Path("out").glob("*.csv")}
    assert done
    assert not list(Path("out").glob(".*tmp"))
    again = run("predict", penguins, "in", "-o", "out/", "--workers", 2, cwd=Path.cwd()).check()
    assert f"9 of 9 files predicted, {len(done)} of them before" in again.err
    assert {path: path.stat().st_mtime_ns for path in done} == done


def test_a_terminal_shows_the_errors_and_the_summary(penguins: Path) -> None:
    Path("in/1b.csv").write_text("other\n1\n")
    code, seen = on_terminal("predict", penguins, "in", "-o", "out/", "--workers", 1, cwd=Path.cwd())
    assert code == 4
    assert seen.count("error: in/1b.csv") == 1
    assert "4 files" in seen
    assert seen.rstrip().endswith("3 of 4 files predicted, 1 failed, 150 rows")
