"""A table of times to an event through every operation: no leakage, and the same curves everywhere."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from nncli import (
    check,
    compare,
    cross_validate,
    distill,
    drift,
    evaluate,
    explain,
    export,
    init,
    load,
    predict,
    report,
    show,
    threshold,
    train,
)
from nncli.api.init import draft
from nncli.base.errors import ConfigError, DataError, UsageError
from nncli.models.scores import headlines
from nncli.run_directory.run import Run
from nncli.serving.answers import json_rows
from nncli.serving.models.served_model import ServedModel
from nncli.serving.pages.form_page import Links, model_page
from nncli.serving.parameters import check_options, parse_parameters
from nncli.serving.server_options import ServerOptions
from nncli.sklearn import NNRegressor
from nncli.targets.metrics.survival import SurvivalRows, kaplan_meier

LOSS = "loss={type: survival, event: died, bins: 6}"
QUICK = ["layers=[8]", "epochs=12", "learning_rate=0.02"]
METRICS = ["concordance", "uno_concordance", "integrated_brier", "time_auc", "survival_loss"]


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = np.random.default_rng(0)
    x, z = rng.normal(size=(2, 240))
    until, seen = rng.exponential(10.0 * np.exp(-x)), rng.uniform(1.0, 30.0, 240)
    path = tmp_path_factory.mktemp("table") / "t.csv"
    months = np.minimum(until, seen)
    died = np.where(until <= seen, "yes", "no")
    entered = np.where(z > 0, 0.0, months * 0.5)
    pl.DataFrame({"x": x, "z": z, "months": months, "died": died, "entered": entered}).write_csv(path)
    return path


def trained(table: Path, output: Path, *extra: str, loss: str = LOSS) -> Path:
    return train(table, target="months", set=[*QUICK, loss, "data.features=[x, z]", *extra], output=output).run


@pytest.fixture(scope="module")
def run(table: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained(table, tmp_path_factory.mktemp("run") / "run", "members=3")


def curves(frame: pl.DataFrame) -> Any:
    return frame.select(pl.col("^survival_.*$")).to_numpy().astype(np.float64)


def test_predictions_are_medians_curves_and_survival_at_times(run: Path, table: Path) -> None:
    summary = show(run)
    assert (summary.task, summary.loss) == ("survival", "survival")
    predicted = predict(run, table, proba=True)
    S = curves(predicted)
    assert S.shape == (240, 6)
    assert (np.diff(S, axis=1) <= 0.0).all()
    median, last = predicted["prediction"].to_numpy(), S[:, -1]
    assert np.array_equal(np.isnan(median.astype(np.float64)), last > 0.5)
    at = predict(run, table, at=[0, 5, 1e6])
    assert at.columns == ["prediction", "survival_0", "survival_5", "survival_1000000"]
    assert at["survival_0"].to_list() == [1.0] * 240
    assert at["survival_1000000"].to_numpy() == pytest.approx(last, rel=1e-6)
    one_time: tuple[Any, ...] = ([5.0], 5, np.array([5]))
    for same in one_time:
        assert predict(run, table, at=same)["survival_5"].equals(at["survival_5"])
    notes = list[str]()
    predict(run, table, at=5, on_note=notes.append)
    assert sum(f"{predicted['prediction'].null_count()} of 240 medians" in note for note in notes) == 1
    predict(run, table, at=[5, 1e6], on_note=notes.append)
    assert len(notes) == 3
    one = load(run).predict(pl.read_csv(table)[3:4], at=[5.0])
    assert one["survival_5"][0] == at["survival_5"][3]


def test_a_server_predicts_what_the_command_does(run: Path, table: Path) -> None:
    model = ServedModel.load("m", run)
    rows = [{"x": x, "z": 0.5} for x in (-3.0, 0.0, 2.0)]
    options = parse_parameters([("at", "5,9"), ("proba", "true")])
    check_options(options, model)
    served = json_rows(model.predict(model.rows.table(rows), options).frame)
    wanted = predict(run, pl.DataFrame(rows), at=[5.0, 9.0], proba=True)
    assert served[0]["prediction"] is None  # after the last event
    assert served == json_rows(wanted)
    effects = model.predict(model.rows.table(rows), parse_parameters([("effects", "true")])).frame
    assert len(effects.columns) == 3


def test_an_ensemble_averages_curves(run: Path, table: Path) -> None:
    members = [curves(predict(path, table, proba=True)) for path in sorted((run / "members").iterdir())]
    assert curves(predict(run, table, proba=True)) == pytest.approx(np.mean(members, axis=0), abs=1e-6)


def test_the_columns_of_the_loss_are_never_features(table: Path, tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    loss = "{type: survival, event: died, start: entered}"
    path.write_text(f"data: {{path: {table}, target: months}}\nlayers: [4]\nepochs: 2\nloss: {loss}\nmembers: 2\n")
    finished = train(path, output=tmp_path / "run")
    model = Run.open(finished.run).load_model()
    assert model.names == ["x", "z"]
    assert model.spec.target.names == ("months", "died", "entered")
    assert [name for name, _ in headlines(evaluate(finished.run, table).scores)] == ["concordance", "survival_loss"]
    assert not [finding for finding in check(path).findings if finding.level == "error"]
    report(finished.run)


def test_scores_beside_the_kaplan_meier_curve(run: Path, table: Path) -> None:
    scores = dict(headlines(evaluate(run, table).scores))
    assert list(scores) == METRICS
    assert (scores["concordance"] or 0.0) > 0.6
    page = report(run).html.read_text(encoding="utf-8")
    assert "Kaplan-Meier" in page
    assert "Calibration" in page
    assert "The model predicts “months” for" in page


def test_runs_with_other_bins_are_compared_by_the_integrated_brier_score(
    run: Path, table: Path, tmp_path: Path
) -> None:
    other = trained(table, tmp_path / "run", "members=3", loss="loss={type: survival, event: died, bins: 3}")
    result = compare([run, other])
    assert "integrated Brier score" in str(result.json())


def test_columns_are_explained_and_profiled(run: Path, table: Path) -> None:
    result = explain(run, table)
    assert result.importances is not None
    assert result.importances[0].column == "x"
    drift(run, table)


def test_what_needs_classes_is_refused(run: Path, table: Path, tmp_path: Path) -> None:
    invalid: list[dict[str, Any]] = [
        {"prediction_set": 0.9},
        *({"at": at} for at in ([-1.0], "365,730", ["a"])),
    ]
    for options in invalid:
        with pytest.raises(UsageError):
            predict(run, table, **options)
        with pytest.raises(UsageError):
            load(run).predict(pl.read_csv(table), **options)
    with pytest.raises(UsageError):
        threshold(run)
    with pytest.raises(UsageError) as refused:
        export(run, tmp_path / "model.onnx", to="onnx", proba=True)
    assert "regression" not in str(refused.value)
    number = train(table, target="months", set=[*QUICK, "data.features=[x]"], output=tmp_path / "number").run
    with pytest.raises(UsageError) as caught:
        predict(number, table, at=[5.0])
    assert caught.value.hint


def test_a_lower_bound_is_a_time_at_a_level(run: Path, table: Path) -> None:
    frame = predict(run, table, interval=[0.9, 0.5], proba=True)
    assert frame.columns[-2:] == ["lower_90", "lower_50"]
    lower, half = frame["lower_90"].to_numpy(), frame["lower_50"].to_numpy()
    last = float(frame.columns[-3].removeprefix("survival_"))
    assert ((lower > 0.0) & (lower <= half) & (half < last * (1.0 + 1e-9))).all()
    assert (lower < half).mean() > 0.9
    assert np.corrcoef(lower, pl.read_csv(table)["x"])[0, 1] < -0.5
    alone = load(run).predict(pl.read_csv(table)[7:8], interval=0.9, at=[5.0])
    assert alone.columns == ["prediction", "lower_90", "survival_5"]
    assert alone["lower_90"][0] == lower[7]
    assert alone["survival_5"][0] == predict(run, table, at=[5.0])["survival_5"][7]


def test_the_coverage_of_bounds_is_measured_by_the_observed_times(run: Path, table: Path) -> None:
    result = evaluate(run, table, interval=[0.9, 0.5], by="entered")
    rows, lower = pl.read_csv(table), predict(run, table, interval=0.9, by="entered")["lower_90"]
    (bound, half) = result.json()["bounds"]
    assert bound["coverage"] == (rows["months"] >= lower).mean()
    assert bound["events_before"] == ((rows["months"] < lower) & (rows["died"] == "yes")).mean()
    assert bound["mean_bound"] == pytest.approx(lower.mean())
    assert sum(group["rows"] for group in bound["by_group"]) == 240
    assert 0.88 < bound["coverage"] <= 1.0 - bound["events_before"]
    assert half["coverage"] < bound["coverage"]
    page = report(run, force=True).html.read_text(encoding="utf-8")
    assert "Coverage of lower bounds" in page


def test_a_server_gives_lower_bounds_and_describes_them(run: Path, table: Path) -> None:
    model = ServedModel.load("m", run)
    rows = [{"x": x, "z": 0.5} for x in (-3.0, 0.0, 2.0)]
    options = parse_parameters([("interval", "0.9"), ("at", "5")])
    check_options(options, model)
    served = json_rows(model.predict(model.rows.table(rows), options).frame)
    assert served == json_rows(predict(run, pl.DataFrame(rows), interval=0.9, at=5))
    assert list(served[0]) == ["prediction", "lower_90", "survival_5"]
    assert "90 % lower bound" in model_page(model, ServerOptions(), Links(("m",), is_first_page=True))


def test_rows_that_enter_late_have_no_bounds(table: Path, tmp_path: Path) -> None:
    late = trained(table, tmp_path / "run", "validation=0.3", loss="loss={type: survival, event: died, start: entered}")
    for call in (
        lambda: predict(late, table, interval=0.9),
        lambda: evaluate(late, table, interval=0.9),
        lambda: export(late, tmp_path / "m.py", to="python", interval=0.9),
    ):
        with pytest.raises(UsageError) as caught:
            call()
        assert "'entered'" in caught.value.message
        assert caught.value.hint
    assert "Lower bounds" not in report(late).html.read_text(encoding="utf-8")


def test_mistakes_are_refused_at_their_place(run: Path, table: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        train(table, target="months", set=[*QUICK, "loss=survival"], output=tmp_path / "r")
    assert caught.value.issues[0].location.key == "loss"
    with pytest.raises(ConfigError):
        train(table, target="months", set=[*QUICK, "loss={type: survival, event: months}"], output=tmp_path / "r")
    with pytest.raises(ConfigError):
        train(table, target=["months", "x"], set=[*QUICK, LOSS], output=tmp_path / "r")
    with pytest.raises(ConfigError):
        train(table, target="months", set=[*QUICK, LOSS, "data.features=[died]"], output=tmp_path / "r")
    with pytest.raises(ConfigError):
        train(table, target="months", set=[*QUICK, LOSS, "calibration=temperature"], output=tmp_path / "r")
    with pytest.raises(DataError) as missing:
        train(table, target="months", set=[*QUICK, "loss={type: survival, event: dead}"], output=tmp_path / "r")
    assert "dead" in str(missing.value)
    for dropped in ("months", "died"):
        with pytest.raises(DataError) as one:
            evaluate(run, pl.read_csv(table).drop(dropped))
        assert one.value.message.endswith(f"no target column '{dropped}'")
    pl.read_csv(table).with_columns(died=pl.col("died").replace("no", None)).write_csv(tmp_path / "t.csv")
    found = check(tmp_path / "t.csv", target="months", set=[LOSS, "data.features=[x]"])
    assert "no 'months' or 'died'" in str(found.findings)


@pytest.mark.parametrize(("died", "rows"), [("yes", 0), ("no", 240), ("no", 5)])
def test_the_events_of_all_rows_or_of_all_but_a_few_are_no_labels(
    table: Path, tmp_path: Path, died: str, rows: int
) -> None:
    other = pl.when(pl.int_range(pl.len()) < rows).then(pl.lit(died)).otherwise(pl.lit("yes"))
    pl.read_csv(table).with_columns(other.alias("died")).write_csv(tmp_path / "t.csv")
    assignments = [*QUICK, "loss.type=survival", "loss.event=died", "data.drop=[entered]"]
    codes = {finding.code.value for finding in draft(tmp_path / "t.csv", "months", set=assignments[-3:]).findings}
    assert not codes & {"constant-target", "dropped-column"}
    if rows == 240:
        with pytest.raises(DataError) as caught:
            train(tmp_path / "t.csv", target="months", set=assignments, output=tmp_path / "r")
        assert caught.value.location is not None
        assert caught.value.location.column == "died"
        return
    train(tmp_path / "t.csv", target="months", set=assignments, output=tmp_path / "r")
    codes = {finding.code.value for finding in check(tmp_path / "t.csv", target="months", set=assignments).findings}
    assert not codes & {"constant-target", "rare-class"}


def test_a_draft_and_a_check_say_that_a_time_has_a_column_of_events(table: Path, tmp_path: Path) -> None:
    drafted = init(table, "months", set=["loss.type=survival", "loss.event=died"], output=tmp_path / "c.yaml")
    assert "target: months\n" in drafted
    assert "# Target: months, survival" in drafted
    assert train(tmp_path / "c.yaml", set=QUICK, output=tmp_path / "r").epochs == 12
    codes = [finding.code.value for finding in check(table, target="months").findings]
    assert "target-with-event" in codes


def test_a_training_is_resumed_with_its_bins(run: Path) -> None:
    copy = Path(shutil.copytree(run, run.parent / "copy"))
    edges = Run.open(run).load_model().spec.target.output_names
    resumed = train(resume=copy, set=["epochs=14"]).run
    assert Run.open(resumed).load_model().spec.target.output_names == edges


def test_a_student_learns_the_curves(run: Path, table: Path, tmp_path: Path) -> None:
    student = distill(run, output=tmp_path / "student", set=["epochs=6"]).run
    S, of_student = (curves(predict(path, table, proba=True)) for path in (run, student))
    assert np.corrcoef(S[:, 3], of_student[:, 3])[0, 1] > 0.8


def test_folds_are_scored(table: Path, tmp_path: Path) -> None:
    result = cross_validate(
        table, target="months", set=[*QUICK, LOSS, "data.features=[x, z]"], folds=3, output=tmp_path / "cv"
    )
    assert "integrated_brier" in str(result)


@pytest.mark.parametrize("kind", ["python", "onnx"])
def test_an_export_gives_the_median_and_the_curve(run: Path, tmp_path: Path, kind: str) -> None:
    for name, levels in (("curve", ()), ("bounds", (0.9, 0.5))):
        exported = export(run, tmp_path / f"{name}.{kind}", to=kind, interval=levels)
        assert exported.comparison is not None
        assert exported.comparison.is_match


def test_an_estimator_of_numbers_refuses_the_loss_in_a_sentence(table: Path) -> None:
    frame = pl.read_csv(table)
    with pytest.raises(ValueError, match="NNSurvivalAnalysis"):
        NNRegressor(config={"loss": {"type": "survival", "event": "died"}}).fit(frame.select("x"), frame["months"])


def test_cells_that_are_no_time_leave_their_rows_out_if_errors_are_missing(table: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.csv"
    frame = pl.read_csv(table).with_columns(pl.col("months").cast(pl.String))
    frame[5, "months"] = "a year"
    frame.write_csv(wrong)
    with pytest.raises(DataError) as refused:
        trained(wrong, tmp_path / "refused", "data.on_error=fail")
    assert refused.value.location is not None
    assert (refused.value.location.row, refused.value.location.column) == (6, "months")
    run = trained(wrong, tmp_path / "run", "data.on_error=missing", "validation=0")
    assert Run(run).load_manifest().training_rows == 239


def test_scores_of_equal_times_take_events_before_censorings() -> None:
    time, event = np.repeat([1.0, 2.0, 3.0, 4.0], 250), np.tile([True, True, False, False, False], 200)
    rows = SurvivalRows(time, event, None, np.zeros(1000), np.array([1.0, 2.0, 3.0]), np.ones((1000, 3)), np.ones(1000))
    # A certain survival is wrong by the share of the events until then, which the Kaplan-Meier estimate gives.
    expected = 1.0 - kaplan_meier(time, event).at(rows.times)
    np.testing.assert_allclose(rows.brier.mean(axis=0), expected, rtol=1e-9)
