"""The warnings of a training about its rows are those of `nncli check`, at a bounded cost."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from nncli.api.train import train_events
from nncli.base.scratch import Scratch
from nncli.config.schema import Config
from nncli.data.profile import ColumnProfile, profile
from nncli.data.store.column_store import ColumnStore
from nncli.fitting.checks import rows as module
from nncli.fitting.checks.column import SplitTable
from nncli.fitting.checks.rows import training_warnings
from nncli.fitting.ensemble.out_of_fold import EnsembleData
from nncli.fitting.prepare.load import load_labeled_rows
from nncli.fitting.prepare.prepare import prepare
from nncli.fitting.table_report import check_table
from nncli.fitting.train.events import MembersStarted, Started
from nncli.targets.classes import ClassificationTarget

N = 400


def numbers(seed: int = 0, n: int = N) -> list[float]:
    return [float(x) for x in np.random.default_rng(seed).normal(size=n)]


def config_of(folder: Path, columns: dict[str, object], **keys: object) -> Config:
    """The configuration of a small network for a table with these columns and the target y."""
    pl.DataFrame({"a": numbers(1), "b": numbers(2), **columns}).write_csv(folder / "t.csv")
    document = {"data": {"path": str(folder / "t.csv"), "target": "y"}, "layers": [2], "epochs": 1, **keys}
    return Config.model_validate(document)


def warnings_of(config: Config) -> list[str]:
    with Scratch() as scratch:
        result = prepare(config, scratch, with_checks=True).findings
    return [finding.code.value for finding in result if finding.level == "warning"]


CLASSES = ["yes", "no"] * (N // 2)
RARE = ["yes"] * 16 + ["no"] * (N - 16)
FAULTS: dict[str, dict[str, object]] = {
    "class-imbalance": {"y": RARE},
    "rare-class": {"y": ["yes"] * 4 + ["no"] * (N - 4)},
    "target-leakage": {"y": CLASSES, "copy": [f"{label}!" for label in CLASSES]},
    "train-validation-overlap": {"a": numbers(n=100) * 4, "b": numbers(n=100) * 4, "y": ["u", "v"] * 200},
    "ambiguous-dates": {"y": CLASSES, "day": [f"0{1 + i % 9}/0{1 + i // 9 % 9}/2024" for i in range(N)]},
    "id-like-column": {"y": CLASSES, "key": list(range(N))},
    "constant-target": {"y": [2.5] * N},
    "outlier": {"y": [*numbers()[:-1], 1e6]},
}


@pytest.mark.slow
@pytest.mark.parametrize("code", FAULTS)
def test_a_training_warns_of_what_check_warns_of(tmp_path: Path, code: str) -> None:
    assert warnings_of(config_of(tmp_path, FAULTS[code])) == [code]


def test_few_rows_are_a_warning(tmp_path: Path) -> None:
    config = config_of(tmp_path, {"y": CLASSES}, validation=0.05)
    assert warnings_of(config) == ["few-validation-rows"]


def test_a_sound_table_has_no_warning(tmp_path: Path) -> None:
    assert warnings_of(config_of(tmp_path, {"y": CLASSES})) == []


@pytest.mark.parametrize("members", [1, 2])
def test_the_first_event_has_the_warnings_once(tmp_path: Path, members: int) -> None:
    config = config_of(tmp_path, FAULTS["class-imbalance"], members=members, workers=1)
    events = train_events(config, output=tmp_path / "run")
    started = next(events)
    events.close()
    assert isinstance(started, Started | MembersStarted)
    assert [finding.code.value for finding in started.findings] == ["class-imbalance"]


def test_an_ensemble_checks_its_rows_once(tmp_path: Path) -> None:
    config = config_of(tmp_path, FAULTS["class-imbalance"], members=2)
    with Scratch() as scratch:
        data = EnsembleData.of(config, scratch)
        assert data.findings == ()
        assert [finding.code.value for finding in data.with_checks().findings] == ["class-imbalance"]
    assert prepare(config.model_copy(update={"members": 1})).findings == ()


def test_a_wide_table_is_checked_in_bounded_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_FEATURES", 20)
    read: list[str] = []

    def recorded(table: ColumnStore, names: Sequence[str]) -> tuple[ColumnProfile, ...]:
        read.extend(names)
        return profile(table, names)

    monkeypatch.setattr(module, "profile", recorded)
    wide: dict[str, object] = {f"x{i}": [0, 1] * (N // 2) for i in range(98)}
    config = config_of(tmp_path, {**wide, "y": [float(i % 7) for i in range(N)]})
    assert warnings_of(config) == []  # equal in a part of the columns is not equal
    assert len(read) == 20
    assert read[0] == "a"
    assert read[-1] == "x93"


def test_a_training_says_that_rows_may_belong_together(tmp_path: Path) -> None:
    config = config_of(tmp_path, {"y": CLASSES, "customer_id": [f"c{i // 4}" for i in range(N)]})
    with Scratch() as scratch:
        findings = prepare(config, scratch, with_checks=True).findings
    assert ("note", "group-like-column") in [(finding.level, finding.code) for finding in findings]


def test_a_large_table_is_sampled_with_its_row_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_TRAINING", 100)
    monkeypatch.setattr(module, "MAX_VALIDATION", 50)
    config = config_of(tmp_path, {"y": RARE})
    with Scratch() as scratch:
        table = load_labeled_rows(config, config.data, scratch)
        split = SplitTable(table, np.arange(340), table, np.arange(340, N))
        sample = split.sample(100, 50)
        assert (len(sample.training), len(sample.validation), len(sample.table)) == (100, 50, 150)
        assert {sample.training_row(i) for i in range(100)} < set(map(str, range(1, 341)))
        assert {sample.validation_row(i) for i in range(50)} < set(map(str, range(341, N + 1)))
        result = training_warnings(config, split, ClassificationTarget)
    assert [finding.code.value for finding in result] == ["class-imbalance"]
    assert "4.7 %" in result[0].message  # of all training rows, not of the sample


@pytest.mark.parametrize(("target", "code"), [("y", "duplicate-column"), ("a", "target-leakage")])
def test_features_checked_at_once_have_the_findings_of_one_after_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str, code: str
) -> None:
    a = numbers(1)
    columns: dict[str, object] = {
        "copy": a,
        "gap": [None, *a[1:]],
        "far": [1e6, *numbers(3)[1:]],
        "sentinel": [-999.0 if i % 40 == 0 else x for i, x in enumerate(numbers(4))],
        "row": list(range(N)),
        "long": [2**53 + i for i in range(N)],
        "word": ["no" if x < 0 else "yes" for x in a],
        "same": [1.0] * N,
        "y": numbers(5),
    }
    config = config_of(tmp_path, columns, loss="mse", validation=0.3)
    config = config.model_copy(update={"data": config.data.model_copy(update={"target": (target,)})})
    at_once = check_table(config)
    monkeypatch.setattr(module, "columns_at_once", lambda rows: 1)
    one_by_one = check_table(config)
    assert (at_once.findings, at_once.unusable) == (one_by_one.findings, one_by_one.unusable)
    assert {"outlier", "sentinel-value", code} <= {finding.code.value for finding in at_once.findings}
