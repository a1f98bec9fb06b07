"""The target: rare classes, imbalance, numbers out of reach; and how many rows there are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import yaml

from nncli.api.train import train_events
from nncli.base.errors import Advice, DataError, SetKey
from nncli.base.findings import Finding, FindingCode
from nncli.config.schema import Config
from nncli.data.table import Table
from nncli.fitting.prepare.fit import infer_loss
from nncli.fitting.prepare.prepare import prepare
from nncli.fitting.table_report import check_table
from nncli.nn.losses import MultiTargetLoss
from tests.fitting.checks.support import ROWS, codes, found, sound

rng = np.random.default_rng(3)


def shuffled(counts: dict[str, int]) -> list[str]:
    return rng.permutation([label for label, n in counts.items() for _ in range(n)]).tolist()  # type: ignore[no-any-return]


def test_a_rare_class_is_a_warning_without_one_of_imbalance(tmp_path: Path) -> None:
    findings = found(tmp_path, {**sound(), "y": shuffled({"a": 150, "b": 145, "c": 5})})
    assert codes(findings) == ["warning rare-class"]
    assert "'c' 4" in findings[0].message  # four of its five rows are training rows
    assert findings[0].location.column == "y"


def test_missing_cells_of_one_of_several_targets_are_no_rare_class(tmp_path: Path) -> None:
    table = {**sound(), "w": [None if i < 5 else "ab"[i % 2] for i in range(ROWS)]}
    findings = found(tmp_path, table, data={"target": ["y", "w"]}, positive_class=None)
    assert "rare-class" not in {finding.code for finding in findings}


def test_a_class_missing_from_some_folds_is_a_warning(tmp_path: Path) -> None:
    findings = found(tmp_path, {**sound(), "y": shuffled({"a": 286, "b": 14})}, validation={"folds": 20, "fold": 0})
    assert "20 folds" in findings[0].message


def test_class_imbalance_is_a_warning_until_weights_or_a_metric_address_it(tmp_path: Path) -> None:
    table = {**sound(600), "y": shuffled({"common": 580, "few": 20})}
    (finding,) = found(tmp_path, table)
    assert codes([finding]) == ["warning class-imbalance"]
    assert "class_weight=balanced" in finding.hint
    assert "roc_auc" in finding.hint
    assert found(tmp_path, table, class_weight="balanced", positive_class="few") == []
    assert found(tmp_path, table, metric="roc_auc", positive_class="few") == []


def test_the_positive_one_of_two_classes_is_noted_unless_it_means_yes_or_is_named(tmp_path: Path) -> None:
    def told(classes: str, **keys: Any) -> list[Finding]:
        return found(tmp_path, {**sound(), "y": [classes.split()[i % 2] for i in range(ROWS)]}, **keys)

    (finding,) = told("cat dog")
    assert (finding.level, finding.code) == ("note", "positive-class")
    assert "'dog'" in finding.message
    assert "--set positive_class=cat" in finding.hint
    assert told("cat dog", positive_class="cat") == told("no yes") == told("0 1", loss="cross_entropy") == []
    assert [f.hint for f in told("ja nein")] == ["For the other one, --set positive_class=ja"]


def test_what_is_said_of_classes_of_several_targets_can_be_followed_in_their_run(tmp_path: Path) -> None:
    rare, y = shuffled({"common": 580, "few": 20}), shuffled({"cat": 300, "dog": 300})
    table = {
        **sound(600),
        "rare": rare,
        "y": y,
        "p": [i % 2 for i in range(600)],
        "q": [i // 2 % 2 for i in range(600)],
    }
    findings = found(tmp_path, table, data={"target": ["rare", "y", "p", "q"]}, positive_class=None)
    hints = {finding.code: finding.hint for finding in findings}
    assert "use --set class_weight" not in hints[FindingCode.CLASS_IMBALANCE]
    assert "alone with --set positive_class=" in hints[FindingCode.POSITIVE_CLASS]
    config = Config.model_validate({"data": {"path": "t.csv", "target": ["z", "p", "q"]}})
    targets = Table(pl.DataFrame(table, strict=False), "t.csv")
    _, (as_class,) = infer_loss(config, targets)
    assert "'p' and 'q'" in as_class.message
    assert isinstance(as_class.hint, Advice)
    (key,) = (part for part in as_class.hint.parts if isinstance(part, SetKey))
    losses = yaml.safe_load(key.value or "")
    assert losses == {"p": "mse", "q": "mse"}
    followed = Config.model_validate({"data": {"path": "t.csv", "target": ["z", "p", "q"]}, "loss": losses})
    loss, notes = infer_loss(followed, targets)
    assert isinstance(loss, MultiTargetLoss)
    assert not notes


def test_many_classes_of_equal_size_are_balanced(tmp_path: Path) -> None:
    assert found(tmp_path, {**sound(900), "y": shuffled({f"c{i}": 30 for i in range(30)})}) == []


def test_a_constant_target_is_a_warning_and_a_single_class_an_error(tmp_path: Path) -> None:
    (finding,) = found(tmp_path, {**sound(), "z": [2.5] * ROWS}, target="z")
    assert codes([finding]) == ["warning constant-target"]
    assert "'2.5'" in finding.message
    (finding,) = [f for f in found(tmp_path, {**sound(), "y": ["yes"] * ROWS}) if f.level == "error"]
    assert "'yes'" in finding.message
    assert finding.exit_code == 4


def of_classes(path: Path, classes: int, rows: int, prefix: str = "c", columns: dict[str, str] | None = None) -> Config:
    n = range(rows)
    pl.DataFrame({"x": [float(i) for i in n], "y": [f"{prefix}{i % classes}" for i in n]}).write_csv(path / "t.csv")
    data = {"path": str(path / "t.csv"), "target": "y", "columns": columns or {}}
    return Config.model_validate({"data": data, "layers": []})


@pytest.mark.parametrize("keys", [{}, {"members": 4}, {"members": 2, "bagging": "seeds"}], ids=str)
def test_too_many_classes_of_few_rows_are_refused_before_a_training_and_by_check(
    tmp_path: Path, keys: dict[str, object]
) -> None:
    config = Config.model_validate({**of_classes(tmp_path, 5_000, 15_000).model_dump(exclude_unset=True), **keys})
    with pytest.raises(DataError) as refused:
        next(train_events(config.model_copy(update={"output": str(tmp_path / "run")})))
    (error,) = [finding for finding in check_table(config).findings if finding.level == "error"]
    assert error.message == refused.value.message
    assert error.location is not None
    assert refused.value.location is not None
    assert error.location.column == refused.value.location.column == "y"
    assert error.exit_code == refused.value.exit_code == 4
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("classes", "rows"), [(2_000, 10_000), (3_000, 30_000)])
def test_many_classes_of_many_rows_and_of_few_predictions_are_accepted(tmp_path: Path, classes: int, rows: int) -> None:
    config = of_classes(tmp_path, classes, rows)
    assert check_table(config).trainable
    more = of_classes(tmp_path, classes + 1, rows)
    assert not check_table(more).trainable


def test_numbers_that_are_too_many_classes_are_trained_as_the_hint_says(tmp_path: Path) -> None:
    config = of_classes(tmp_path, 5_000, 15_000, "", {"y": "categorical"})
    with pytest.raises(DataError, match="classes") as refused:
        prepare(config, with_checks=True)
    assert "--set data.columns.y=numeric" in (refused.value.hint or "")
    config = of_classes(tmp_path, 5_000, 15_000, "", {"y": "numeric"})
    followed = Config.model_validate({**config.model_dump(exclude_unset=True), "loss": "mse"})
    assert prepare(followed, with_checks=True).spec.target.task == "regression"
