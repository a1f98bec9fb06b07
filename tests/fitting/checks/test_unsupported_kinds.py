"""Kinds that nncli does not have are noted where they are certain, and nowhere else."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from nncli import check, train
from nncli.base.findings import Finding, FindingCode
from nncli.config.schema import Config
from nncli.fitting.table_summary import summarize_table
from nncli.targets.labels import MultilabelTarget
from nncli.targets.survival import SurvivalTarget
from nncli.targets.target_base import TargetBase
from tests.cli.support import DATA, Cli

N = 120
RNG = np.random.default_rng(0)
X = RNG.random(N).round(4)
YES_NO = (RNG.random(N) < 0.4).astype(int)
TIME = RNG.exponential(9, N).round(2)
COUNTS = RNG.poisson(40, N)
TAGS = ["action", "crime", "drama", "war"]


def tagged(separator: str) -> list[str]:
    return [separator.join(RNG.choice(TAGS, 1 + i % 3, replace=False)) for i in range(N)]


TABLES: dict[str, tuple[dict[str, Any], list[str], str]] = {
    "levels": ({"x": X, "risk": np.array(["Low", "Medium", "High"])[np.arange(N) % 3]}, ["risk"], "risk"),
    "ranges": ({"x": X, "pay": np.array(["<1k", "1k-1M", ">1M"])[np.arange(N) % 3]}, ["pay"], "pay"),
    "tags": ({"x": X, "genres": tagged("|"), "y": TIME}, ["y"], "genres"),
    "semicolons": ({"x": X, "genres": tagged(";"), "y": TIME}, ["y"], "genres"),
    "time": ({"x": X, "time": TIME, "Event": YES_NO}, ["time"], "Event"),
    "words": (
        {"x": X, "Survival_months": TIME, "status": np.where(YES_NO, "died", "alive")},
        ["Survival_months"],
        "status",
    ),
    "event": ({"x": X, "follow_up": TIME, "death_event": YES_NO}, ["death_event"], "follow_up"),
    "censored": ({"x": X, "time": TIME, "cens": YES_NO}, ["time"], "cens"),
    "letters": ({"x": X, "T": TIME, "E": YES_NO}, ["T"], "E"),
    "week": ({"x": X, "week": TIME, "arrest": YES_NO}, ["week"], "arrest"),
    "exposure": ({"x": X, "Exposure": X + 0.1, "claims": COUNTS}, ["claims"], "Exposure"),
}
OTHERS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "two levels": ({"x": X, "risk": np.array(["low", "high"])[np.arange(N) % 2]}, ["risk"]),
    "other words": ({"x": X, "risk": np.array(["low", "high", "blue"])[np.arange(N) % 3]}, ["risk"]),
    "names with numbers": ({"x": X, "line": np.array(["line 1", "line 2", "line 3"])[np.arange(N) % 3]}, ["line"]),
    "a separator in free text": ({"x": X, "title": [f"Part {i}; of {i * 7}" for i in range(N)], "y": TIME}, ["y"]),
    "two fixed spellings": ({"x": X, "pair": ["a|b", "c|d"] * (N // 2), "y": TIME}, ["y"]),
    "a time of day": ({"x": X, "time": TIME, "sold": YES_NO}, ["sold"]),
    "a month beside an event": ({"x": X, "month": TIME, "churn": YES_NO}, ["churn"]),
    "an event with negative times": ({"x": X, "time": TIME - 5, "event": YES_NO}, ["event"]),
    "amounts": ({"x": X, "exposure": X + 0.1, "cost": TIME}, ["cost"]),
    "one target of two": ({"x": X, "a": YES_NO, "b": TIME}, ["a", "b"]),
}


def written(folder: Path, columns: dict[str, Any]) -> str:
    pl.DataFrame(columns).write_csv(folder / "t.csv")
    return str(folder / "t.csv")


def of_kinds(findings: tuple[Finding, ...]) -> list[Finding]:
    codes = (
        *(FindingCode.UNSUPPORTED_KIND, FindingCode.TARGET_AS_NUMBER),
        *(FindingCode.ORDERED_TARGET, FindingCode.TARGET_WITH_EVENT),
    )
    return [finding for finding in findings if finding.code in codes]


@pytest.mark.slow
@pytest.mark.parametrize("name", TABLES)
def test_a_draft_and_a_check_note_the_kind_once_with_its_column(tmp_path: Path, name: str) -> None:
    columns, targets, column = TABLES[name]
    path = written(tmp_path, columns)
    for findings in (summarize_table(path, targets).findings, check(path, target=targets).findings):
        (finding,) = of_kinds(findings)
        assert (finding.level, finding.location.column) == ("note", column)
        assert finding.hint


@pytest.mark.parametrize("name", OTHERS)
def test_what_only_looks_similar_is_not_noted(tmp_path: Path, name: str) -> None:
    columns, targets = OTHERS[name]
    assert of_kinds(summarize_table(written(tmp_path, columns), targets).findings) == []


@pytest.mark.parametrize(
    ("table", "target"),
    [("penguins.csv", "species"), ("penguins.csv", "body_mass_g"), ("seattle-weather.csv", "weather")],
)
def test_tables_of_other_kinds_have_no_note(table: str, target: str) -> None:
    assert of_kinds(summarize_table(DATA / table, [target]).findings) == []


@pytest.mark.slow
def test_two_yes_no_targets_of_a_loss_of_numbers_are_noted_once_before_a_training(nncli: Cli, here: Path) -> None:
    written(here, {"x": X, "a": YES_NO, "b": YES_NO[::-1]})
    words = ["t.csv", "-t", "a", "-t", "b", "--set", "loss=mse"]
    trained = nncli("train", *words, "--set", "preset=textbook", "--set", "epochs=1").check()
    assert trained.err.count("'a' and 'b' hold only 0 and 1") == 1
    for command in ("init", "check"):
        findings = json.loads(nncli(command, *words, "--json").check().out)["findings"]
        assert [item["code"] for item in findings].count("target-as-number") == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("columns", "targets", "expected"),
    [
        ({"x": X, "a": YES_NO, "b": YES_NO[::-1]}, ["a", "b"], True),
        ({"x": X, "a": ["yes", "no"] * (len(X) // 2), "b": YES_NO}, ["a", "b"], True),
        ({"x": X, "a": X, "b": YES_NO}, ["a", "b"], False),
        ({"x": X, "a": YES_NO}, ["a"], False),
        ({"x": X, "tags": [("a|b", "b", "c|a", "c")[i % 4] for i in range(len(X))]}, ["tags"], True),
        ({"x": X, "tags": [("a, b", "b", "c, a", "c")[i % 4] for i in range(len(X))]}, ["tags"], True),
        ({"x": X, "tags": [f"{i % 4},{i % 3}" for i in range(len(X))]}, ["tags"], False),
    ],
)  # fmt: skip
def test_labels_are_proposed_for_columns_of_yes_and_no_and_for_tags(
    nncli: Cli, here: Path, columns: dict[str, Any], targets: list[str], expected: bool
) -> None:
    written(here, columns)
    words = [word for name in targets for word in ("-t", name)]
    draft = nncli("init", "t.csv", *words).check().out
    assert ("loss: binary_cross_entropy" in draft) == expected
    if expected and len(targets) == 1:
        config = "data: {path: t.csv, target: tags}\nlayers: [4]\nepochs: 1\n"
        (here / "c.yaml").write_text(config)
        assert "lists several labels in a cell" in nncli("train", "c.yaml").check().err


def test_dates_with_a_type_are_no_tags(tmp_path: Path) -> None:
    days = pl.DataFrame({"day": [date(2024, 1, 1 + i % 9) for i in range(60)], "y": [float(i % 7) for i in range(60)]})
    days.write_parquet(tmp_path / "t.parquet")
    data = {"path": str(tmp_path / "t.parquet"), "target": "y"}
    config = Config.model_validate({"data": data, "layers": [4], "epochs": 1})
    assert train(config, output=tmp_path / "run").run.is_dir()


@pytest.mark.slow
@pytest.mark.parametrize("loss", ["binary_cross_entropy", "{a: cross_entropy, b: cross_entropy}"])
def test_columns_of_0_and_1_that_are_labels_or_classes_are_not_called_numbers(tmp_path: Path, loss: str) -> None:
    path = written(tmp_path, {"x": X, "a": YES_NO, "b": YES_NO[::-1]})
    assert of_kinds(check(path, target=["a", "b"], set=[f"loss={loss}"]).findings) == []


@pytest.mark.slow
@pytest.mark.parametrize(("loss", "taken"), [("mse", "number"), ("cross_entropy", "class")])
def test_an_event_beside_a_time_is_called_what_its_loss_takes_it_for(tmp_path: Path, loss: str, taken: str) -> None:
    path = written(tmp_path, {"x": X, "time": TIME, "event": YES_NO})
    findings = check(path, target="event", set=[f"loss={loss}"]).findings
    (message,) = (finding.message for finding in findings if finding.code is FindingCode.TARGET_WITH_EVENT)
    assert f"as a {taken}" in message


@pytest.mark.parametrize(
    ("loss", "kind"), [("{type: survival, event: b}", SurvivalTarget), ("binary_cross_entropy", MultilabelTarget)]
)
def test_weights_of_columns_that_are_one_target_are_refused_for_the_reason_of_its_kind(
    tmp_path: Path, loss: str, kind: type[TargetBase]
) -> None:
    path = written(tmp_path, {"x": X, "a": YES_NO, "b": YES_NO[::-1]})
    targets = ["a"] if kind is SurvivalTarget else ["a", "b"]
    (finding,) = check(path, target=targets, set=[f"loss={loss}", "target_weights={a: 2}"]).findings
    assert (finding.location.key, finding.message) == ("target_weights", kind.no_target_weights)
