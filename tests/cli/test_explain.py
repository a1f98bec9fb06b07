"""`nncli explain` on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from nncli.run_directory.config import read_config
from tests.cli.support import DATA, Cli

TABLE = DATA / "penguins.csv"


def test_importance_is_a_table_on_stdout_and_the_next_step_is_on_stderr(nncli: Cli, penguins: Path) -> None:
    done = nncli("explain", penguins, TABLE, "--top", 1, "--permutations", 2).check()
    first, titles, *lines = done.out.split("\n\n")[0].splitlines()
    assert first.startswith("feature importance: every column shuffled 2 times among 344 rows")
    assert "log loss increase" in titles
    assert titles.split("    ")[0].strip() == "column"
    assert sorted(line.split()[0] for line in lines) == [
        *("bill_depth_mm", "bill_length_mm", "body_mass_g", "flipper_length_mm", "island", "sex")
    ]
    assert "\n\npartial dependence on " in done.out
    assert done.err.splitlines()[-1] == f"next: nncli report {penguins}"


def test_the_trend_of_a_single_output_is_shown(nncli: Cli, line: Path) -> None:
    done = nncli("explain", line, "-q").check()
    assert done.err == ""
    assert done.out.count("increases") == 2
    assert "\npartial dependence on x1: mean prediction of y\n" in done.out


def test_with_two_classes_the_explained_probability_is_named(nncli: Cli, here: Path) -> None:
    rows = "\n".join(f"{i},{i % 3},{int(i % 3 > 1)}" for i in range(60))
    (here / "t.csv").write_text(f"a,b,survived\n{rows}\n")
    (here / "c.yaml").write_text("data: {path: t.csv, target: survived}\nlayers: []\nloss: cross_entropy\nepochs: 1\n")
    run = nncli("train", "c.yaml", "-q").check().path
    shown = nncli("explain", run, "-q").check().out
    assert "    probability of survived = 1\n" in shown
    assert "\npartial dependence on b: mean probability that survived is 1\n" in shown
    document = json.loads(nncli("explain", run, "-q", "--json").check().out)
    assert {curve["description"] for curve in document["partial_dependence"]} == {"mean probability that survived is 1"}


def test_a_monotone_column_of_ordered_classes_raises_the_probability_of_more(nncli: Cli, here: Path) -> None:
    rows = "\n".join(f"{i},{('low', 'mid', 'high')[i // 20]}" for i in range(60))
    (here / "t.csv").write_text(f"a,band\n{rows}\n")
    keys = "layers: []\nloss: ordinal\nepochs: 1\nmonotone: {a: increasing}\n"
    (here / "c.yaml").write_text(f"data: {{path: t.csv, target: band, order: [low, mid, high]}}\n{keys}")
    shown = " ".join(nncli("explain", nncli("train", "c.yaml", "-q").check().path, "-q").check().out.split())
    assert "that band is …; the probability of more than each class is increasing by construction" in shown


def test_columns_that_act_together_are_named(nncli: Cli, here: Path) -> None:
    rows = "\n".join(f"{i},{i % 3},{i % 5},{i}" for i in range(60))
    (here / "t.csv").write_text(f"a,b,c,y\n{rows}\n")
    for keys, sets in (("", []), ("interactions: [[a, c], [b]]\n", [["a", "c"], ["b"]])):
        (here / "c.yaml").write_text(f"data: {{path: t.csv, target: y}}\nlayers: [4]\nepochs: 1\n{keys}")
        run = nncli("train", "c.yaml", "-q").check().path
        assert ("interactions: 'a' and 'c'; 'b'; " in nncli("explain", run, "-q").check().out) == bool(sets)
        assert json.loads(nncli("explain", run, "-q", "--json").check().out)["interactions"] == sets


def test_attributions_are_written_for_the_rows_looked_at(nncli: Cli, penguins: Path, here: Path) -> None:
    nncli("explain", penguins, TABLE, "--attributions", "why.csv", "--rows", 9, "--top", 0, "--class", "Gentoo").check()
    frame = pl.read_csv(here / "why.csv")
    assert frame.columns[:4] == ["row", "output", "prediction", "base"]
    assert set(frame["output"]) == {"Gentoo"}
    added = frame.select(frame.columns[4:]).sum_horizontal()
    assert ((frame["base"] + added - frame["prediction"]).abs() < 1e-3).all()
    assert len(frame) == 9


def test_the_json_is_one_object(nncli: Cli, penguins: Path) -> None:
    done = nncli("explain", penguins, TABLE, "--json", "-q", "--top", 1).check()
    assert done.out.count("\n") == 1
    assert len(json.loads(done.out)["feature_importance"]) == 6


def test_a_table_without_labels_can_be_piped_in(nncli: Cli, penguins: Path) -> None:
    rows = pl.read_csv(TABLE, infer_schema=False).drop("species").write_csv().encode()
    done = nncli("explain", penguins, "-", "--top", 1, stdin=rows).check()
    assert "target" in done.err
    assert done.out.startswith("partial dependence on ")


def test_a_few_rows_are_explained_by_what_raises_and_lowers_their_predictions(
    nncli: Cli, line: Path, here: Path
) -> None:
    rows = "x1,x2\n1.5,-1\n,2\n"
    (here / "few.csv").write_text(rows)
    done = nncli("explain", line, "few.csv", "-q").check()
    first, second = done.out.rstrip().split("\n\n")
    assert first.startswith("row 1: prediction of y: ")
    assert "feature importance" not in done.out
    document = json.loads(nncli("explain", line, "few.csv", "-q", "--json").check().out)
    for text, item in zip((first, second), document["explained_rows"], strict=True):
        lines = {words.split(":")[0]: words for words in text.splitlines()[1:]}
        for part in item["contributions"]:
            words = lines[part["column"]]
            assert ("raises it by" in words) == (part["contribution"] > 0)
            left, right = words.split("│")
            assert (left.rstrip()[-1] in "█▐") == (part["contribution"] < 0)
            assert bool(right.strip()) == (part["contribution"] > 0)
    assert "x1: (missing)" in second
    largest = nncli("explain", line, "few.csv", "-q", "--top", 1).check().out
    assert largest.count("other columns") == 2


def test_the_class_whose_probability_moved_is_named_with_points(nncli: Cli, penguins: Path, here: Path) -> None:
    (here / "one.csv").write_text("\n".join(TABLE.read_text().splitlines()[:2]))
    done = nncli("explain", penguins, "one.csv", "--class", "Gentoo").check()
    assert done.out.startswith("row 1: probability that species is Gentoo: ")
    assert " points " in done.out


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--class", "Gentoo"], 2, "--attributions"),
        (["--attributions", "why.csv", "--target", "specie"], 2, "species"),
        (["--attributions", "why.xlsx"], 2, ".xlsx"),
        (["--attributions", "there.csv"], 2, "exists already"),
        (["--rows", 0], 2, "rows"),
        (["--attributions", "why.csv", "--class", "Gento"], 2, "Gentoo"),
    ],
)
def test_invalid_options_are_refused_before_any_work(
    nncli: Cli, penguins: Path, here: Path, words: list[object], code: int, said: str
) -> None:
    (here / "there.csv").touch()
    done = nncli("explain", penguins, TABLE, *words).check(code)
    assert said in done.err
    assert done.out == ""
    assert not (here / "why.csv").exists()


def test_the_table_that_is_explained_is_not_replaced(nncli: Cli, penguins: Path, here: Path) -> None:
    (here / "t.csv").write_bytes(TABLE.read_bytes())
    for source in ("t.csv", "*.csv"):
        done = nncli("explain", penguins, source, "--attributions", "t.csv", "--force").check(2)
        assert "would replace the input table" in done.err
    assert (here / "t.csv").read_bytes() == TABLE.read_bytes()


def test_hostile_names_do_not_reach_the_terminal(nncli: Cli, here: Path) -> None:
    name = "a\x1b[31m\nb"
    frame = pl.DataFrame({name: ["p\x1b[1m", "q"] * 20, "x": range(40), "y": [0.5 * i for i in range(40)]})
    frame.write_csv(here / "t.csv")
    (here / "c.yaml").write_text("data: {path: t.csv, target: y}\nlayers: []\nepochs: 1")
    run = nncli("train", "c.yaml", "-q").check().path
    done = nncli("explain", run).check()
    assert "\x1b" not in done.out + done.err
    assert "\\x1b" in done.out


@pytest.mark.parametrize("columns", [80, 60])
def test_a_column_is_one_line_with_a_bar_and_an_error_in_the_units_of_the_target(
    nncli: Cli, line: Path, monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    lines = nncli("explain", line).check().out.split("\n\n")[0].splitlines()
    head = next(i for i, text in enumerate(lines) if text.startswith("column"))
    assert "rmse increase" in lines[head]
    assert lines[head + 1].split()[1].startswith("█")
    assert [text.split()[0] in ("x1", "x2") for text in lines[head + 1 :]] == [True, True]
    assert max(map(len, lines)) <= columns


def test_the_table_of_the_run_is_never_replaced_by_attributions(nncli: Cli, penguins: Path, here: Path) -> None:
    table = Path(read_config(penguins).data.path)
    before = table.read_bytes()
    nncli("explain", penguins, "--attributions", table, "--force").check(2)
    assert table.read_bytes() == before
