"""`nncli.threshold`: a decision that is chosen, saved, followed by everything that predicts classes, and removed."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from nncli import clear_threshold, compare, evaluate, explain, load, predict, reproduce, show, threshold, train
from nncli.analysis.evaluation.run_summary import summarize_run
from nncli.base.errors import DataError, NncliError, RunError, RunLockedError, UsageError
from nncli.models.scores import headlines
from nncli.run_directory import listing, saved_decision
from nncli.run_directory.loader import read_manifest
from nncli.run_directory.manifest import HELD_OUT, MANIFEST, MODEL
from nncli.run_directory.run import Run
from nncli.run_directory.saved_decision import read_decision, save_decision
from nncli.targets.decision import CostMatrix, Threshold
from nncli.targets.metrics.thresholds import ErrorCosts
from tests.cli.support import DATA
from tests.run_directory.support import change_manifest, changed

NETWORK = "layers: []\nepochs: 3\nlearning_rate: 0.05\n"


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with t.csv, whose class is uncertain, and weighted.csv."""
    folder = tmp_path_factory.mktemp("two")
    rng = np.random.default_rng(0)
    x = rng.normal(size=400)
    sick = rng.random(400) < 1 / (1 + np.exp(2 - 1.5 * x))
    frame = pl.DataFrame({"x": x, "w": rng.integers(1, 4, 400), "state": np.where(sick, "sick", "well")})
    frame.write_csv(folder / "t.csv")
    return folder


def trained(tables: Path, name: str, more: str) -> Path:
    config = tables / f"{name}.yaml"
    config.write_text(f"data: {{path: t.csv, target: state, drop: [w]}}\npositive_class: sick\n{NETWORK}{more}")
    return train(config, output=tables / name).run


@pytest.fixture(scope="module")
def network(tables: Path) -> Path:
    """A network with validation rows; not to be changed."""
    return trained(tables, "network", "validation: 0.5\n")


@pytest.fixture(scope="module")
def ensemble(tables: Path) -> Path:
    """An ensemble of two; not to be changed."""
    return trained(tables, "ensemble", "members: 2\n")


@pytest.fixture(params=["network", "ensemble"])
def copy(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of each of them."""
    return Path(shutil.copytree(request.getfixturevalue(request.param), tmp_path / request.param))


def code_of(error: pytest.ExceptionInfo[NncliError]) -> int:
    assert error.value.hint or isinstance(error.value, UsageError)
    return error.value.exit_code


def test_without_a_goal_nothing_is_chosen(network: Path) -> None:
    result = threshold(network)
    assert (result.decision, result.chosen, result.achieved, result.saved) == (None, None, (), None)
    assert result.positive == "sick"
    assert result.rows == 200
    assert 8 <= len(result.curve) <= 20
    assert [item.name for item in result.most_probable] == ["positive_rate", "precision", "recall", "f1", "specificity"]


@pytest.mark.slow
def test_the_chosen_cost_is_the_lowest_of_all_thresholds(ensemble: Path) -> None:
    result = threshold(ensemble, cost=(1, 4))
    assert isinstance(result.decision, Threshold)
    assert result.chosen is not None
    rows = Run.open(ensemble).load_held_out()
    assert rows is not None
    p, sick = rows.predictions.values[:, 1], rows.y == 1
    every = [float(np.mean((p >= t) & ~sick) + 4 * np.mean((p < t) & sick)) for t in np.append(p, 1.0)]
    assert result.chosen.cost == pytest.approx(min(every))
    assert result.achieved[-1].name == "cost"
    assert result.calibrated is not None
    assert result.calibrated.threshold == 0.2
    assert result.achieved[-1].value >= result.achieved[-1].apparent - 0.01


def test_a_calibrated_threshold_costs_less_only_if_it_predicts_other_rows(network: Path) -> None:
    result = threshold(network, cost=(1, 4))
    assert result.chosen is not None
    alike = replace(result.chosen, threshold=0.2)
    assert not replace(result, calibrated=alike).costs_less_calibrated
    assert replace(result, calibrated=replace(alike, positive_rate=0.0, cost=0.0)).costs_less_calibrated
    assert not replace(result, calibrated=replace(alike, positive_rate=0.0, cost=9.0)).costs_less_calibrated
    assert not threshold(network, f1=True).costs_less_calibrated


@pytest.mark.parametrize("positive", ["sick", "well"])
def test_the_positive_class_may_be_either(network: Path, positive: str) -> None:
    result = threshold(network, recall=0.9, positive=positive)
    assert result.chosen is not None
    assert result.chosen.recall >= 0.9
    assert isinstance(result.decision, Threshold)
    assert result.decision.positive == positive


@pytest.mark.slow
def test_a_saved_decision_is_followed_by_all_predictions_and_scores(copy: Path, tables: Path) -> None:
    table = tables / "t.csv"
    result = threshold(copy, at=0.1, save=True)
    assert result.saved == result.decision
    frame = predict(copy, table, proba=True)
    expected = pl.Series(np.where(frame["proba_sick"].to_numpy() >= 0.1, "sick", "well"))
    assert frame["prediction"].equals(expected)
    assert predict(copy, table)["prediction"].equals(expected)
    assert pl.concat([predict(copy, pl.read_csv(table)[i : i + 1]) for i in range(20)])["prediction"].equals(
        expected[:20]
    )
    actual = pl.read_csv(table)["state"]
    evaluation = evaluate(copy, table)
    scores = dict(headlines(evaluation.scores))
    assert scores["accuracy"] == pytest.approx(float(np.mean((expected == actual).to_numpy())))
    assert scores["recall"] == pytest.approx(float(np.mean(expected.to_numpy()[actual.to_numpy() == "sick"] == "sick")))
    assert evaluation.json()["decision"]["threshold"] == 0.1
    assert load(copy).predict(table)["prediction"].equals(expected)
    assert show(copy).decision == result.decision


@pytest.mark.slow
def test_the_probabilities_stay_as_they_were(copy: Path, tables: Path) -> None:
    before = predict(copy, tables / "t.csv", proba=True).drop("prediction")
    scores = dict(headlines(evaluate(copy, tables / "t.csv").scores))
    threshold(copy, f1=True, save=True)
    assert predict(copy, tables / "t.csv", proba=True).drop("prediction").equals(before)
    for name in ("log_loss", "roc_auc", "brier", "calibration_error", "average_precision"):
        assert dict(headlines(evaluate(copy, tables / "t.csv").scores))[name] == scores[name]


@pytest.mark.slow
def test_a_table_is_scored_by_the_costs_of_the_decision(copy: Path, tables: Path) -> None:
    assert evaluate(copy, tables / "t.csv").cost_per_row is None
    threshold(copy, cost=(1, 4), save=True)
    actual, predicted = pl.read_csv(tables / "t.csv")["state"], predict(copy, tables / "t.csv")["prediction"]
    false = int(((actual == "well") & (predicted == "sick")).sum())
    missed = int(((actual == "sick") & (predicted == "well")).sum())
    assert evaluate(copy, tables / "t.csv").cost_per_row == pytest.approx((false + 4 * missed) / 400)


def test_removing_a_decision_restores_every_byte(copy: Path) -> None:
    before = (copy / MODEL).read_bytes(), (copy / MANIFEST).read_bytes()
    assert b"decision" not in before[0]
    threshold(copy, f1=True, save=True)
    assert b"decision" in (copy / MODEL).read_bytes()
    assert isinstance(clear_threshold(copy), Threshold)
    assert ((copy / MODEL).read_bytes(), (copy / MANIFEST).read_bytes()) == before
    assert clear_threshold(copy) is None


@pytest.mark.slow
def test_a_comparison_scores_each_run_by_its_decision(copy: Path, network: Path) -> None:
    if copy.name != "network":
        return
    threshold(copy, at=0.02, save=True)
    result = compare([network, copy])
    rates = next(row for row in result.scores if row.name == "recall")
    values = [score.value for score in rates.values if score is not None and score.value is not None]
    assert values[1] > values[0]
    assert [run.decision is None for run in result.runs] == [True, False]
    assert result.json()["runs"][1]["decision"]["type"] == "threshold"


@pytest.mark.slow
def test_every_command_scores_the_held_out_rows_by_the_saved_costs(copy: Path, tables: Path) -> None:
    found = threshold(copy, cost=(1, 4), save=True)
    assert found.chosen is not None
    expected = found.achieved[-1]
    assert expected.name == "cost"
    assert expected.value != found.chosen.cost  # these rows chose the threshold
    cost = pytest.approx(expected.value)
    (listed,) = listing.runs(copy)
    assert listed.metric == "cost_per_row"
    assert listed.value == cost
    shown = {(one.rows, one.metric): one for one in show(copy).scores}
    of_cost = shown["validation", "cost_per_row"]
    assert of_cost.value == cost
    assert ("training", "accuracy") not in shown
    assert ("training", "log_loss") in shown
    held_out = summarize_run(copy).held_out
    assert held_out is not None
    score = held_out.scores_with_intervals().scores[0]
    assert (score.name, score.baseline) == ("cost_per_row", of_cost.baseline)
    assert score.value == cost
    assert score.improvement is not None
    rows = Run.open(copy).load_held_out()
    assert rows is not None
    share = float(rows.baseline[1])
    always = float(np.mean(rows.y == 0)) if share * 4 > 1 - share else 4 * float(np.mean(rows.y == 1))
    assert of_cost.baseline == pytest.approx(always)
    compared = compare([copy, copy.parent / copy.name, shutil.copytree(copy, tables / f"{copy.name}-again")])
    assert compared.scores[0].name == "cost_per_row"
    assert {one and one.value for one in compared.scores[0].values} == {score.value}
    assert compared.pairs[0].beside is not None
    assert compared.pairs[0].beside.measure == "cost per row"
    assert compared.pairs[0].beside.a == pytest.approx(found.chosen.cost)
    evaluation = evaluate(copy, tables / "t.csv")
    assert next(iter(headlines(evaluation.scores))) == ("cost_per_row", evaluation.cost_per_row)
    assert evaluation.constant is not None
    assert evaluation.json()["constant"]["cost"] == evaluation.constant.cost
    assert evaluation.cost_per_row is not None
    assert evaluation.constant.saving == pytest.approx(1.0 - evaluation.cost_per_row / evaluation.constant.cost)


def test_recorded_scores_follow_the_decision_without_the_table(copy: Path) -> None:
    threshold(copy, at=0.02, save=True)
    (copy / "config.yaml").unlink()
    summary = summarize_run(copy)
    assert summary.metrics is not None
    assert summary.metrics.validation is not None
    recall = next(one.value for one in summary.metrics.validation.scores if one.name == "recall")
    rows = Run.open(copy).load_held_out()
    assert rows is not None
    assert recall == pytest.approx(np.mean(rows.predictions.values[rows.y == 1, 1] >= 0.02))


@pytest.mark.slow
def test_resuming_a_training_removes_the_decision_and_says_how_to_choose_it_again(
    copy: Path, tables: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nncli.api.train import train_events

    monkeypatch.chdir(tables)
    threshold(copy, recall=0.8, save=True)
    first = next(iter(train_events(resume=copy)))
    messages = [finding.line for finding in first.findings if finding.code == "decision-removed"]  # type: ignore[union-attr]
    assert "nncli threshold" in messages[0]
    assert "--recall 0.8 --positive sick --save" in messages[0]


@pytest.mark.slow
def test_a_resumed_training_is_the_same_without_the_decision(
    copy: Path, tables: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tables)
    before = (copy / MODEL).read_bytes()
    threshold(copy, recall=0.8, save=True)
    train(resume=copy)
    assert (copy / MODEL).read_bytes() == before
    assert read_decision(Run.open(copy)) is None
    assert read_manifest(copy).decided is None


def damage(run: Path, decision: dict[str, Any]) -> None:
    """Write a decision that was not checked, with the checksums that belong to it."""
    import hashlib

    document = json.loads((run / MODEL).read_text())
    content = json.dumps({**document, "decision": decision}).encode()
    (run / MODEL).write_bytes(content)
    manifest = read_manifest(run)
    files = {**manifest.files, MODEL: hashlib.sha256(content).hexdigest()}
    signed = manifest.model_copy(update={"files": files}).with_checksum()
    (run / MANIFEST).write_text(signed.model_dump_json())


@pytest.mark.parametrize(
    "decision",
    [
        {"type": "threshold", "positive": "healthy", "threshold": 0.5, "goal": {"type": "f1"}},
        {"type": "threshold", "positive": "sick", "threshold": 2.0, "goal": {"type": "f1"}},
        {"type": "costs", "labels": ["sick", "well"], "costs": [[0.0, 1.0], [1.0, 0.0]]},
        {"type": "costs", "labels": ["well", "sick"], "costs": [[0.0, 1.0]]},
    ],
)
def test_a_decision_about_other_classes_is_damage(copy: Path, decision: dict[str, Any]) -> None:
    damage(copy, decision)
    with pytest.raises(RunError):
        Run.open(copy).load_model()


def test_a_damaged_run_gets_no_new_checksums(copy: Path) -> None:
    weights = next(copy.rglob("model.safetensors"))
    weights.write_bytes(weights.read_bytes()[:-1] + b"\0")
    before = (copy / MANIFEST).read_bytes()
    with pytest.raises(RunError):
        threshold(copy, f1=True, save=True)
    assert (copy / MANIFEST).read_bytes() == before


@pytest.mark.slow
@pytest.mark.parametrize("killed_at", [1, 2, 3, 4])
@pytest.mark.parametrize("after", [None, 0.7])
def test_a_process_that_is_killed_leaves_a_run_that_predicts(
    copy: Path, tables: Path, killed_at: int, after: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    undecided = predict(copy, tables / "t.csv")
    threshold(copy, at=0.1, save=True)
    before = predict(copy, tables / "t.csv")
    writes = 0

    def write(path: Path, content: bytes, *, in_place: bool) -> None:
        nonlocal writes
        writes += in_place
        if writes == killed_at:
            raise KeyboardInterrupt
        path.write_bytes(content)

    monkeypatch.setattr(saved_decision, "write_bytes", write)
    try:
        clear_threshold(copy) if after is None else threshold(copy, at=after, save=True)
    except KeyboardInterrupt:
        expected = before if killed_at == 1 else undecided
        assert predict(copy, tables / "t.csv").equals(expected)
        monkeypatch.undo()
        threshold(copy, at=0.1, save=True)
        assert predict(copy, tables / "t.csv").equals(before)


@pytest.mark.slow
def test_a_run_is_reproduced_whatever_was_decided_since(network: Path, tmp_path: Path, tables: Path) -> None:
    run = Path(shutil.copytree(network, tmp_path / "run"))
    threshold(run, f1=True, save=True)
    result = reproduce(run, data=tables / "t.csv")
    assert result is not None
    assert result.verdict == "identical"


def test_a_run_that_is_being_written_is_not_changed(copy: Path) -> None:
    with Run.open(copy).locked(), pytest.raises(RunLockedError):
        threshold(copy, f1=True, save=True)


def test_a_member_of_an_ensemble_gets_no_decision(copy: Path) -> None:
    if copy.name != "ensemble":
        return
    with pytest.raises(RunError, match="member"):
        save_decision(Run.open(copy / "members/1"), None)


def test_a_cost_matrix_decides_three_classes(penguins: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(penguins, tmp_path / "run"))
    (tmp_path / "costs.csv").write_text("actual,Adelie,Chinstrap,Gentoo\nAdelie,0,1,9\nChinstrap,1,0,9\nGentoo,1,1,0\n")
    before = predict(run, DATA / "penguins.csv", proba=True)
    result = threshold(run, costs=tmp_path / "costs.csv", save=True)
    assert isinstance(result.decision, CostMatrix)
    assert result.achieved[0].value <= result.most_probable[0].value + 1e-9
    assert sum(item.rows for item in result.classes) == result.rows
    after = predict(run, DATA / "penguins.csv")
    expected = before.drop("prediction").to_numpy().astype(np.float64) @ np.array(result.decision.costs)
    names = np.array(result.labels)[expected.argmin(axis=1)]
    assert after["prediction"].to_list() == names.tolist()
    assert (after["prediction"] == "Gentoo").sum() < (before["prediction"] == "Gentoo").sum()
    explained = explain(run, DATA / "penguins.csv", attributions=True, rows=30, permutations=1, top=0)
    assert explained.attributions is not None
    assert explained.attributions.outputs == tuple(names[explained.attributed - 1])
    assert any("lowest expected cost" in note for note in explained.notes)


@pytest.mark.parametrize(
    "options",
    [
        {"recall": 0.0},
        {"recall": 1.5},
        {"precision": float("nan")},
        {"positive_rate": -0.1},
        {"at": 1.1},
        {"cost": (0.0, 0.0)},
        {"cost": (-1.0, 2.0)},
        {"cost": (1.0, float("inf"))},
        {"f1": True, "recall": 0.5},
        {"f1": True, "costs": "costs.csv"},
        {"save": True},
        {"positive": "ill", "f1": True},
    ],
)
def test_options_that_make_no_sense_are_usage_errors(network: Path, options: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        threshold(network, **options)


def test_a_goal_out_of_reach_names_the_nearest_threshold(network: Path) -> None:
    with pytest.raises(UsageError) as caught:
        threshold(network, positive_rate=1e-9, save=True)
    assert "--at 0." in str(caught.value.hint)
    assert "--positive sick" in str(caught.value.hint)
    assert read_decision(Run.open(network)) is None


def test_a_regression_has_no_threshold(line: Path) -> None:
    with pytest.raises(UsageError):
        threshold(line, f1=True)


def test_three_classes_need_a_matrix(penguins: Path) -> None:
    with pytest.raises(UsageError) as caught:
        threshold(penguins)
    assert "actual,Adelie,Chinstrap,Gentoo" in str(caught.value.hint)


def test_a_run_without_held_out_rows_says_what_to_do(tables: Path) -> None:
    run = trained(tables, "none", "validation: 0.0\n")
    with pytest.raises(RunError) as caught:
        threshold(run, f1=True)
    assert "validation rows" in str(caught.value.hint)


def test_a_run_of_an_older_version_says_what_to_do(copy: Path) -> None:
    (copy / HELD_OUT).unlink()
    files = {name: sha256 for name, sha256 in read_manifest(copy).files.items() if name != HELD_OUT}
    change_manifest(copy, changed(files=files))
    with pytest.raises(RunError, match="older version") as caught:
        threshold(copy, f1=True)
    assert "nncli train" in str(caught.value.hint)


def test_a_file_that_was_removed_is_named(copy: Path) -> None:
    (copy / HELD_OUT).unlink()
    with pytest.raises(RunError, match=f"{HELD_OUT}.*was removed") as caught:
        threshold(copy, f1=True)
    assert "nncli train" in str(caught.value.hint)


@pytest.mark.parametrize(("false_positive", "false_negative"), [(1.0, 1.0), (1.0, 9.0)])
def test_costs_are_compared_with_the_best_constant_prediction(
    copy: Path, tmp_path: Path, false_positive: float, false_negative: float
) -> None:
    result = threshold(copy, cost=(false_positive, false_negative))
    rows = Run.open(copy).load_held_out()
    assert rows is not None
    sick = float(np.average(np.array(result.labels)[rows.y] == "sick", weights=rows.weights))
    costs = {"well": false_negative * sick, "sick": false_positive * (1.0 - sick)}
    constant = result.constant
    assert constant is not None
    assert constant.label == min(costs, key=costs.__getitem__)
    assert constant.cost == pytest.approx(costs[constant.label])
    assert constant.saving == pytest.approx(1.0 - result.achieved[-1].value / constant.cost)
    file = tmp_path / "costs.csv"
    file.write_text(f"actual,sick,well\nsick,0,{false_negative}\nwell,{false_positive},0\n")
    matrix = threshold(copy, costs=file).constant
    assert matrix is not None
    assert matrix.label == constant.label
    assert matrix.cost == pytest.approx(constant.cost)
    assert threshold(copy, f1=True).constant is None


def test_a_fixed_threshold_may_have_costs(copy: Path, tmp_path: Path) -> None:
    (tmp_path / "costs.csv").write_text("actual,sick,well\nsick,0,4\nwell,1,0\n")
    fixed = threshold(copy, at=0.3, cost=(1.0, 4.0), save=True)
    assert fixed.saved == fixed.decision
    assert fixed.achieved[-1].name == "cost"
    assert fixed.chosen is not None
    assert fixed.chosen.cost == pytest.approx(fixed.achieved[-1].value)
    assert threshold(copy, at=0.3, costs=tmp_path / "costs.csv").decision == fixed.decision
    well = threshold(copy, at=0.7, costs=tmp_path / "costs.csv", positive="well").decision
    assert isinstance(well, Threshold)
    assert well.goal.costs == ErrorCosts(4.0, 1.0)
    (tmp_path / "costs.csv").write_text("actual,sick,well\nsick,1,4\nwell,1,0\n")
    with pytest.raises(UsageError):
        threshold(copy, at=0.3, costs=tmp_path / "costs.csv")
    with pytest.raises(UsageError, match="finite"):
        threshold(copy, cost=(1.0, float("inf")))


def test_right_predictions_that_cost_more_than_wrong_ones_are_noted(network: Path, tmp_path: Path) -> None:
    (tmp_path / "costs.csv").write_text("actual,sick,well\nsick,9,4\nwell,1,0\n")
    (note,) = threshold(network, costs=tmp_path / "costs.csv").notes
    assert "'sick'" in note
    (tmp_path / "costs.csv").write_text("actual,sick,well\nsick,1,4\nwell,1,0\n")
    assert threshold(network, costs=tmp_path / "costs.csv").notes == ()


@pytest.mark.slow
def test_a_frequent_positive_class_is_noted_unless_it_was_named(tables: Path, network: Path) -> None:
    config = tables / "default.yaml"
    config.write_text(f"data: {{path: t.csv, target: state, drop: [w]}}\nvalidation: 0.5\n{NETWORK}")
    run = train(config, output=tables / "default").run
    (note,) = threshold(run).notes
    assert "'well'" in note
    assert "positive='sick'" in note
    assert threshold(run, positive="well").notes == ()
    assert threshold(network).notes == ()
    config.write_text(config.read_text() + "positive_class: well\n")
    assert threshold(train(config, output=tables / "named").run).notes == ()


def test_rows_of_one_class_choose_nothing(tables: Path) -> None:
    pl.DataFrame({"x": [1.0, 2.0] * 5, "w": [1] * 10, "state": ["well"] * 10}).write_csv(tables / "well.csv")
    run = trained(tables, "one", "validation: {path: well.csv}\n")
    with pytest.raises(DataError):
        threshold(run, f1=True)


def test_rows_count_by_their_weights(tables: Path) -> None:
    (tables / "weighted.yaml").write_text(
        f"data: {{path: t.csv, target: state, sample_weight: w}}\npositive_class: sick\nvalidation: 0.5\n{NETWORK}"
    )
    run = train(tables / "weighted.yaml", output=tables / "weighted").run
    result = threshold(run, at=0.3)
    assert result.weighted
    rows = Run.open(run).load_held_out()
    assert rows is not None
    assert rows.weights is not None
    predicted = rows.predictions.values[:, 1] >= 0.3
    assert result.chosen is not None
    assert result.chosen.positive_rate == pytest.approx(float(rows.weights @ predicted / rows.weights.sum()))
