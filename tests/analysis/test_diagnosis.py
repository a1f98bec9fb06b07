"""Ill trainings are named right, healthy ones are left alone, and what a finding suggests can be followed."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from nncli import diagnose, train
from nncli.analysis.diagnosis import TrainingDiagnosis
from nncli.analysis.remedies import measure_remedies
from nncli.base.errors import NncliError, RunError
from nncli.base.findings import FindingCode
from nncli.config.loading import load_config
from nncli.fitting.checks.evidence import Evidence, HeldOutScore, RowEvidence
from nncli.fitting.checks.training_problem import MAY_HELP, TrainingProblem
from nncli.fitting.checks.training_rules import RULES, training_problems, underfitting
from nncli.nn.training.epoch import DivergedError
from nncli.nn.training.loop import EpochReport
from nncli.run_directory.config import read_config
from nncli.run_directory.history_and_metrics import read_metrics
from nncli.run_directory.loader import read_manifest
from nncli.run_directory.manifest import CONFIG, HEALTH
from tests.assertions import raises
from tests.cli.support import DATA, ROOT

ROWS = 240
CODE = FindingCode
Values = npt.NDArray[Any]


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Synthetic tables with the target y, by their names."""
    rng, folder = np.random.default_rng(0), tmp_path_factory.mktemp("tables")
    X = rng.normal(size=(ROWS, 4))
    number = np.sin(X[:, 0]) + 0.5 * X[:, 1] * X[:, 2] + 0.1 * rng.normal(size=ROWS)
    outliers = number.copy()
    outliers[::48] = 4000.0
    coarse = rng.integers(0, 3, size=(ROWS, 2)).astype(float)
    of: dict[str, tuple[Values, Values]] = {
        "numbers": (X, number),
        "classes": (X, np.where(X[:, 0] * X[:, 1] + 0.2 * rng.normal(size=ROWS) > 0.0, "a", "b")),
        "unscaled": (X * [1.0, 1000.0, 100.0, 1.0] + [0.0, 5000.0, 0.0, 0.0], number),
        "far cell": (np.where(np.arange(4 * ROWS).reshape(ROWS, 4) == 41, 1e6, X), number),
        "far": (X, number + 1e5),
        "waves": (X[:, :2], np.sin(3.0 * X[:, 0]) * np.cos(2.0 * X[:, 1])),
        "coin": (X, np.where(rng.random(ROWS) > 0.5, "a", "b")),
        "rare": (X, np.where(rng.random(ROWS) < 0.06, "rare", "common")),
        "outliers": (X, outliers),
        "leak": (np.column_stack([X, number * 3.0 + 1.0]), number),
        "contradictions": (coarse, np.where(rng.random(ROWS) < 0.7, np.where(coarse[:, 0] > 0, "a", "b"), "b")),
    }
    for name, (values, target) in of.items():
        lines = [",".join([*(f"x{i}" for i in range(values.shape[1])), "y"])]
        lines += [",".join([*map(str, row), str(y)]) for row, y in zip(values.round(6).tolist(), target, strict=True)]
        (folder / f"{name}.csv").write_text("\n".join(lines) + "\n")
    return lambda name: folder / f"{name}.csv"


WIDE_NORMAL = "init={type: normal, std: %g}"
ILL = {
    "adam at 1": ("numbers", ["learning_rate=1.0", "epochs=20"], CODE.LEARNING_RATE_TOO_HIGH),
    "sgd at 5": ("numbers", ["optimizer=sgd", "learning_rate=5.0", "epochs=5"], CODE.LEARNING_RATE_TOO_HIGH),
    "sgd at 30": ("classes", ["optimizer=sgd", "learning_rate=30", "epochs=20"], CODE.LEARNING_RATE_TOO_HIGH),
    "adam at 1e-6": ("numbers", ["learning_rate=1e-6", "epochs=20"], CODE.LEARNING_RATE_TOO_LOW),
    "sgd at 1e-5": ("classes", ["optimizer=sgd", "learning_rate=1e-5", "epochs=20"], CODE.LEARNING_RATE_TOO_LOW),
    "deep sigmoid": (
        "numbers",
        ["layers=[16, 16, 16, 16, 16, 16]", "activation=sigmoid", "epochs=10"],
        CODE.VANISHING_GRADIENTS,
    ),
    "wide weights": ("numbers", ["layers=[64, 64, 64, 64]", WIDE_NORMAL % 1, "epochs=5"], CODE.EXPLODING_GRADIENTS),
    "relu at 0.5": ("numbers", ["layers=[32, 32]", "learning_rate=0.5", "epochs=10"], CODE.LEARNING_RATE_TOO_HIGH),
    "negative weights": (
        "numbers",
        ["layers=[32, 32]", "init={type: normal, mean: -0.5, std: 0.2}", "epochs=20", "learning_rate=0.001"],
        CODE.DEAD_UNITS,
    ),
    "wide tanh": (
        "numbers",
        ["layers=[32, 32]", "activation=tanh", WIDE_NORMAL % 3, "epochs=5"],
        CODE.SATURATED_UNITS,
    ),
    "raw features": ("unscaled", ["encoding.numeric=none", "epochs=10"], CODE.UNSCALED_INPUTS),
    "wide output": ("classes", ["layers=[64]", WIDE_NORMAL % 2, "epochs=10"], CODE.INITIAL_LOSS),
    "sigmoid output": (
        "far",
        ["output_activation=sigmoid", "encoding.target=none", "optimizer=adam", "epochs=10"],
        CODE.UNREACHABLE_TARGET,
    ),
    "raw target": ("far", ["encoding.target=none", "epochs=5"], CODE.UNSCALED_TARGET),
    "raw target, adam": ("far", ["encoding.target=none", "optimizer=adam", "epochs=20"], CODE.UNSCALED_TARGET),
    "coin": ("coin", ["layers=[128, 128]", "epochs=60", "learning_rate=0.003"], CODE.OVERFITTING),
    "line for waves": ("waves", ["layers=[]", "epochs=60", "learning_rate=0.01"], CODE.UNDERFITTING),
    "strong l2": ("waves", ["l2=1.0", "optimizer=adam", "learning_rate=0.01", "epochs=40"], CODE.STRONG_PENALTY),
    "strong l1": ("classes", ["l1=0.3", "optimizer=adam", "learning_rate=0.01", "epochs=40"], CODE.STRONG_PENALTY),
    "strong decay": (
        "numbers",
        ["optimizer={type: adamw, weight_decay: 30}", "learning_rate=0.01", "epochs=40"],
        CODE.STRONG_PENALTY,
    ),
    "constant": ("numbers", ["init={type: constant, value: 0.1}", "epochs=20"], CODE.EQUAL_UNITS),
    "memorized": (
        "coin",
        ["layers=[128]", "optimizer=adam", "epochs=150", "learning_rate=0.01"],
        CODE.OVERFITTING,
    ),
    "an epoch": ("numbers", ["epochs=1", "learning_rate=0.003"], CODE.TOO_FEW_EPOCHS),
    "impatient": (
        "numbers",
        ["epochs=100", "learning_rate=0.003", "early_stopping={patience: 1, min_delta: 0.2}"],
        CODE.TOO_FEW_EPOCHS,
    ),
    "early decay": (
        "numbers",
        ["learning_rate={type: step, peak: 0.003, factor: 0.1, every: 2}", "epochs=20"],
        CODE.LEARNING_RATE_TOO_LOW,
    ),
    "momentum of 0.99": (
        "numbers",
        ["optimizer={type: sgd, momentum: 0.99}", "learning_rate=0.2", "epochs=20"],
        CODE.LEARNING_RATE_TOO_HIGH,
    ),
    "tiny clip_norm": ("numbers", ["optimizer=sgd", "clip_norm=0.001", "epochs=20"], CODE.LEARNING_RATE_TOO_LOW),
    "five sigmoid layers": (
        "numbers",
        ["layers=[32, 32, 32, 32, 32]", "activation=sigmoid", "optimizer=sgd", "learning_rate=0.1", "epochs=20"],
        CODE.VANISHING_GRADIENTS,
    ),
    "dropout of 0.8": (
        "waves",
        ["layers=[64, {type: dropout, rate: 0.8}, 64, {type: dropout, rate: 0.8}]", "learning_rate=0.003", "epochs=60"],
        CODE.STRONG_PENALTY,
    ),
    "no patience": (
        "classes",
        ["epochs=300", "learning_rate=0.002", "early_stopping={patience: 1}", "optimizer=adam"],
        CODE.TOO_FEW_EPOCHS,
    ),
    "two rows a batch": (
        "classes",
        ["batch_size=2", "optimizer=adam", "learning_rate=0.01", "epochs=20"],
        CODE.BATCH_NOISE,
    ),
    "three epochs": ("numbers", ["epochs=3", "learning_rate=0.003"], CODE.TOO_FEW_EPOCHS),
    "five epochs": ("classes", ["epochs=5", "learning_rate=0.003"], CODE.TOO_FEW_EPOCHS),
    "saddle": (
        "numbers",
        ["layers=[8, 8, 8]", "activation=sigmoid", "epochs=400", "learning_rate=0.003", "optimizer=adam"],
        CODE.PLATEAU,
    ),
    "one row a batch": ("classes", ["batch_size=1", "epochs=15", "learning_rate=0.01"], CODE.BATCH_NOISE),
    "contradictions": ("contradictions", ["epochs=10", "learning_rate=0.01"], CODE.CONFLICTING_TARGETS),
    "far cell": ("far cell", ["epochs=30", "learning_rate=0.003"], CODE.FEW_ROWS_DOMINATE),
    "outliers": ("outliers", ["epochs=10", "learning_rate=0.01"], CODE.FEW_ROWS_DOMINATE),
    "rare": ("rare", ["layers=[]", "epochs=20", "learning_rate=0.01"], CODE.CLASS_NEVER_PREDICTED),
    "leak": ("leak", ["epochs=20", "learning_rate=0.01"], CODE.TARGET_LEAKAGE),
}
MISNAMED = 2
"""Ill trainings of ILL that may be named wrong: a tenth."""


FIRST = {CODE.TARGET_LEAKAGE, CODE.UNREACHABLE_TARGET, CODE.UNSCALED_TARGET, CODE.STRONG_PENALTY, CODE.EQUAL_UNITS}
"""Causes that are named first."""


def trained(table: Path, run: Path, sets: list[str], **options: Any) -> Path:
    with suppress(DivergedError):
        train(table, set=["preset=textbook", *sets], output=run, **options)
    return run


def codes(diagnosis: TrainingDiagnosis) -> list[FindingCode]:
    return [finding.code for finding in diagnosis.findings]


@pytest.mark.slow
def test_ill_trainings_are_named_and_what_is_suggested_can_be_followed(
    tables: Callable[[str], Path], tmp_path: Path
) -> None:
    misnamed = []
    for name, (table, sets, code) in ILL.items():
        run = trained(tables(table), tmp_path / name.replace(" ", "-"), sets, target="y")
        diagnosis = diagnose(run)
        if code in FIRST:
            assert codes(diagnosis)[0] == code, name
        misnamed += [(name, codes(diagnosis))] if code not in codes(diagnosis) else []
        assert len(diagnosis.findings) <= 5
        assert not diagnosis.notes
        for finding in diagnosis.findings:
            command = finding.hint.rpartition(f"{MAY_HELP}: ")[2]
            if command:
                nncli, command, config, *rest = shlex.split(command) if command.startswith("nncli") else [""] * 3
                if nncli and command == "train":
                    assert config == str(run / CONFIG)
                    load_config(config, [word for word in rest if word != "--set"])  # all are valid keys and values
    assert len(misnamed) <= MISNAMED, misnamed
    assert {code for _, _, code in ILL.values()} >= {*(c for c in CODE if c in RULE_CODES)}


RULE_CODES = {
    CODE.TARGET_LEAKAGE,
    CODE.LEARNING_RATE_TOO_HIGH,
    CODE.LEARNING_RATE_TOO_LOW,
    CODE.UNSCALED_INPUTS,
    CODE.UNREACHABLE_TARGET,
    CODE.UNSCALED_TARGET,
    CODE.STRONG_PENALTY,
    CODE.EQUAL_UNITS,
    CODE.EXPLODING_GRADIENTS,
    CODE.VANISHING_GRADIENTS,
    CODE.SATURATED_UNITS,
    CODE.DEAD_UNITS,
    CODE.INITIAL_LOSS,
    CODE.FEW_ROWS_DOMINATE,
    CODE.CONFLICTING_TARGETS,
    CODE.UNDERFITTING,
    CODE.OVERFITTING,
    CODE.CLASS_NEVER_PREDICTED,
    CODE.PLATEAU,
    CODE.TOO_FEW_EPOCHS,
    CODE.BATCH_NOISE,
}


def test_every_rule_has_an_ill_training() -> None:
    assert len(RULES) == len(RULE_CODES)
    assert {code for _, _, code in ILL.values()} == RULE_CODES


HEALTHY: dict[str, tuple[Path | str, str | None, list[str]]] = {
    **{
        name: (ROOT / "configs" / f"{name}.yaml", None, [])
        for name in ("linear-regression", "penguins", "spirals", "xor")
    },
    "species": (DATA / "penguins.csv", "species", []),
    "mass": (DATA / "penguins.csv", "body_mass_g", []),
    "weather": (DATA / "seattle-weather.csv", "weather", []),
    "numbers": ("numbers", "y", ["learning_rate=0.003", "epochs=60"]),
    "classes": ("classes", "y", ["learning_rate=0.003", "epochs=60", "early_stopping={}"]),
    "waves": ("waves", "y", ["epochs=200", "learning_rate={type: cosine, peak: 0.03}"]),
    "small raw target": ("numbers", "y", ["encoding.target=none", "learning_rate=0.003", "epochs=60"]),
    "light penalties": (
        "waves",
        "y",
        ["l1=0.0001", "optimizer={type: adamw, weight_decay: 0.2}", "learning_rate=0.01", "epochs=200"],
    ),
    "normal init": ("numbers", "y", ["init={type: normal, std: 0.3}", "learning_rate=0.003", "epochs=60"]),
    "step": ("numbers", "y", ["learning_rate={type: step, peak: 0.003, factor: 0.3, every: 30}", "epochs=90"]),
    "early stopping": (
        "numbers",
        "y",
        ["optimizer=adam", "learning_rate=0.003", "epochs=300", "early_stopping={patience: 20}"],
    ),
    "one row a batch": ("numbers", "y", ["batch_size=1", "optimizer=sgd", "learning_rate=0.0005", "epochs=60"]),
    "dropout": ("numbers", "y", ["layers=[64, {type: dropout, rate: 0.3}]", "learning_rate=0.003", "epochs=60"]),
    "ensemble": ("numbers", "y", ["preset=tabular", "members=2", "workers=1", "epochs=30"]),
}


@pytest.mark.slow
def test_healthy_trainings_have_no_findings(tables: Callable[[str], Path], tmp_path: Path) -> None:
    false = []
    for name, (table, target, sets) in HEALTHY.items():
        run = tmp_path / name
        if target is None:
            train(Path(table), output=run)
        else:
            trained(tables(table) if isinstance(table, str) else table, run, sets, target=target)
        false += [(name, finding.message) for finding in diagnose(run).findings]
    assert len(false) <= 1, "\n".join(map(str, false))


@pytest.mark.slow
def test_a_sweep_of_rates_finds_a_better_one(tables: Callable[[str], Path], tmp_path: Path) -> None:
    for rate, code in ((1.0, CODE.LEARNING_RATE_TOO_HIGH), (1e-6, CODE.LEARNING_RATE_TOO_LOW)):
        run = trained(tables("numbers"), tmp_path / str(rate), [f"learning_rate={rate}", "epochs=4"], target="y")
        diagnosis = diagnose(run, rates=True)
        assert code in codes(diagnosis)
        best = min(diagnosis.rates, key=lambda trial: trial.loss)
        suggested = [float(rate) for f in diagnosis.findings for rate in re.findall(r"rate.peak=(\S+)", f.hint)]
        assert suggested
        assert all(best.rate / 2 <= rate <= 2 * best.rate for rate in suggested)
        assert 1e-4 <= best.rate <= 0.1
        assert [trial.rate for trial in diagnosis.rates] == sorted(trial.rate for trial in diagnosis.rates)
        json.dumps(diagnosis.json(), allow_nan=False)


def test_without_its_table_or_health_a_run_is_diagnosed_from_what_is_left(
    tables: Callable[[str], Path], tmp_path: Path
) -> None:
    table = shutil.copy(tables("numbers"), tmp_path / "gone.csv")
    run = trained(Path(table), tmp_path / "run", ["epochs=3", "learning_rate=0.003"], target="y")
    Path(table).unlink()
    diagnosis = diagnose(run)
    assert codes(diagnosis) == [CODE.TOO_FEW_EPOCHS]
    assert len(diagnosis.notes) == 1
    assert [moment.epoch for moment in diagnosis.health[0]] == [0, 1]
    (run / HEALTH).unlink()
    with raises(RunError, file=HEALTH):
        diagnose(run)


@pytest.mark.slow
def test_a_rare_class_is_named_and_with_class_weight_the_scores_are_weighted(
    tables: Callable[[str], Path], tmp_path: Path
) -> None:
    sets = ["layers=[]", "epochs=60", "optimizer=adam", "learning_rate=0.02"]
    run = trained(tables("rare"), tmp_path / "plain", sets, target="y")
    (rare,) = (finding for finding in diagnose(run).findings if finding.code == CODE.CLASS_NEVER_PREDICTED)
    assert "nncli threshold" in rare.hint
    run = trained(tables("rare"), tmp_path / "balanced", [*sets, "class_weight=balanced"], target="y")
    assert not {CODE.CLASS_NEVER_PREDICTED, CODE.UNDERFITTING} & {*codes(diagnose(run))}


@pytest.mark.slow
def test_what_is_suggested_differs_from_the_run(tables: Callable[[str], Path], tmp_path: Path) -> None:
    sets = ["layers=[16, {type: dropout, rate: 0.9}, 16]", "epochs=30", "optimizer=adam", "learning_rate=0.003"]
    findings = diagnose(trained(tables("waves"), tmp_path / "dropout", sets, target="y")).findings
    commands = [finding.hint.rpartition(f"{MAY_HELP}: ")[2] for finding in findings]
    assert len({*commands}) == len(commands)
    assert not any("0.9" in command for command in commands)
    (noise,) = diagnose(
        trained(tables("classes"), tmp_path / "noise", ["batch_size=1", "epochs=15", "learning_rate=0.01"], target="y")
    ).findings
    assert noise.hint.endswith("--set batch_size=8")


@pytest.mark.slow
@pytest.mark.parametrize(
    "sets",
    [
        ["output_activation=sigmoid", "encoding.target=none"],
        ["output_activation=relu", "layers=[{type: dense, units: 8, init: he}]", "init={type: constant, value: -0.5}"],
    ],
)
def test_an_output_that_cannot_reach_the_target_is_named_first_and_the_suggestion_leads_to_a_fit(
    tables: Callable[[str], Path], tmp_path: Path, sets: list[str]
) -> None:
    settings = ["optimizer=adam", "learning_rate=0.01", "epochs=20", *sets]
    first = diagnose(trained(tables("far"), tmp_path / "bounded", settings, target="y")).findings[0]
    assert first.code == CODE.UNREACHABLE_TARGET
    follow = [word for word in shlex.split(first.hint.rpartition(f"{MAY_HELP}: ")[2])[3:] if word != "--set"]
    assert "output_activation=null" in follow
    run = tmp_path / "unbounded"
    train(tmp_path / "bounded" / CONFIG, set=follow, output=run)
    assert not {CODE.UNREACHABLE_TARGET, CODE.UNSCALED_TARGET} & {*codes(diagnose(run))}


def test_a_setting_that_the_run_has_is_not_suggested(tables: Callable[[str], Path], tmp_path: Path) -> None:
    sets = ["layers=[64, 64]", "optimizer=sgd", "learning_rate=0.01", "epochs=3", "clip_norm=1", "l2=0.0001"]
    config = read_config(trained(tables("waves"), tmp_path / "run", sets, target="y"))
    reports = [EpochReport(i, loss, 0.0, None, None, 0.01, True, 0.0) for i, loss in enumerate((1.0, 0.99, 0.98), 1)]
    rows = RowEvidence(baseline=1.0, neighbors=0.99, network=0.5)
    (underfits,) = training_problems(Evidence(config, (), reports, rows), [underfitting])
    assert underfits.assignments == ("l2=0",)
    assert "--rates" in underfits.advice
    present = TrainingProblem(
        CODE.PLATEAU,
        "",
        1.0,
        ("clip_norm=1", "optimizer=sgd", "learning_rate.peak=0.01", "layers=[64, 64]", "epochs=9"),
    )
    (problem,) = training_problems(Evidence(config, (), reports, rows), [lambda _: present])
    assert problem.assignments == ("epochs=9",)


@pytest.mark.slow
def test_a_sentinel_is_named_with_all_its_columns_and_its_spellings_make_its_cells_missing(tmp_path: Path) -> None:
    X = np.random.default_rng(0).normal(20.0, 5.0, size=(ROWS, 3)).round(3)
    y = X.sum(axis=1).round(3)
    X[::20, 0] = X[1::20, 1] = 999999.0
    lines = ["x0,x1,x2,y", *(",".join(map(str, row)) for row in np.column_stack([X, y]).tolist())]
    (tmp_path / "t.csv").write_text("\n".join(lines) + "\n")
    run = trained(tmp_path / "t.csv", tmp_path / "run", ["epochs=5", "data.missing_values=[none]"], target="y")
    (finding,) = (finding for finding in diagnose(run).findings if finding.code == CODE.FEW_ROWS_DOMINATE)
    assert "'x0'" in finding.message
    assert "'x1'" in finding.message
    spellings = '"999999", "999999.0"'
    assert f"[{spellings}]" in finding.hint
    train(run / CONFIG, set=[f"data.missing_values=[none, {spellings}]"], output=tmp_path / "follow")
    assert CODE.FEW_ROWS_DOMINATE not in codes(diagnose(tmp_path / "follow"))


@pytest.mark.slow
def test_batch_norm_with_tiny_batches_is_named_and_a_usual_batch_size_is_not(
    tables: Callable[[str], Path], tmp_path: Path
) -> None:
    sets = ["layers=[16, {type: batch_norm}, 16, {type: batch_norm}]", "optimizer=adam", "learning_rate=0.005"]
    run = trained(tables("waves"), tmp_path / "tiny", [*sets, "batch_size=2", "epochs=10"], target="y")
    (first, *_) = diagnose(run).findings
    assert first.code == CODE.BATCH_NOISE
    assert "batch_size=64" in first.hint
    run = trained(tables("waves"), tmp_path / "usual", [*sets, "batch_size=64", "epochs=60"], target="y")
    assert CODE.BATCH_NOISE not in codes(diagnose(run))


@pytest.mark.slow
def test_rare_classes_and_class_weights_are_not_a_bad_initialization(
    tables: Callable[[str], Path], tmp_path: Path
) -> None:
    for name, table, weights in (("rare", "rare", "null"), ("weights", "classes", "{a: 1, b: 300}")):
        sets = ["epochs=5", "optimizer=adam", "learning_rate=0.001", f"class_weight={weights}"]
        assert CODE.INITIAL_LOSS not in codes(diagnose(trained(tables(table), tmp_path / name, sets, target="y")))


def test_without_validation_rows_a_note_says_that_overfitting_is_not_seen(
    tables: Callable[[str], Path], tmp_path: Path
) -> None:
    sets = ["validation=0", "epochs=60", "learning_rate=0.003"]
    assert len(diagnose(trained(tables("numbers"), tmp_path / "all", sets, target="y")).notes) == 1


def test_what_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NncliError):
        diagnose(tmp_path)


@pytest.mark.slow
def test_the_default_is_scored_by_its_averaged_predictions_and_not_by_its_last_epoch(
    tables: Callable[[str], Path], tmp_path: Path
) -> None:
    run = tmp_path / "default"
    train(tables("classes"), target="y", quality="fast", set=["members=3", "workers=1"], output=run)
    assert codes(diagnose(run)) == []
    evidence = Evidence(read_config(run), networks=3, held_out=HeldOutScore("log_loss", 0.4, 0.7))
    ill = TrainingProblem(CODE.TOO_FEW_EPOCHS, "", 1.0, ("l2=0.5",))
    poor = replace(evidence, held_out=HeldOutScore("log_loss", 0.8, 0.7))
    assert training_problems(poor, [lambda _: replace(ill, code=CODE.OVERFITTING)]) == ()
    assert training_problems(evidence, [lambda _: ill]) == ()
    for other in (
        replace(evidence, networks=1),
        replace(evidence, diverged=True),
        poor,
        replace(evidence, held_out=HeldOutScore("log_loss", 0.4, 0.7, 0.2, is_below_linear=True)),
    ):
        assert training_problems(other, [lambda _: ill])
    assert training_problems(evidence, [lambda _: replace(ill, code=CODE.TARGET_LEAKAGE)])


@pytest.mark.slow
def test_remedies_are_measured_on_the_same_rows_and_kept_in_the_run(
    tables: Callable[[str], Path], tmp_path: Path
) -> None:
    run = trained(tables("numbers"), tmp_path / "run", ["epochs=3", "learning_rate=0.003"], target="y")
    assert "--try" in diagnose(run).findings[0].hint
    diagnosis = diagnose(run, tries=True)
    (remedy,) = diagnosis.remedies
    assert (remedy.code, remedy.effect) == (CODE.TOO_FEW_EPOCHS, "better")
    assert remedy.after is not None
    assert remedy.before is not None
    assert remedy.after < remedy.before
    rows = read_metrics(run, read_manifest(run)).validation
    assert rows is not None
    assert remedy.rows == rows.rows
    assert remedy.sentence in diagnosis.findings[0].hint
    assert diagnose(run).remedies == diagnosis.remedies
    json.dumps(diagnosis.json(), allow_nan=False)
    assert not [*tmp_path.glob("nncli-remedies-*")]


def test_a_remedy_that_cannot_be_trained_says_why(tables: Callable[[str], Path], tmp_path: Path) -> None:
    run = trained(tables("numbers"), tmp_path / "run", ["epochs=3", "learning_rate=0.003"], target="y")
    problem = TrainingProblem(CODE.PLATEAU, "", 1.0, ("layers=[0]",))
    (remedy,) = measure_remedies(run, [problem, TrainingProblem(CODE.CONFLICTING_TARGETS, "", 1.0)])
    assert (remedy.effect, bool(remedy.reason)) == ("not measured", True)


@pytest.mark.slow
def test_a_long_run_and_its_remedies_are_shortened_alike(
    tables: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nncli.analysis.remedies.SECONDS", 0.5)
    run = trained(tables("numbers"), tmp_path / "run", ["epochs=20", "learning_rate=0.003"], target="y")
    (remedy,) = measure_remedies(run, [TrainingProblem(CODE.PLATEAU, "", 1.0, ("batch_size=16",))])
    assert remedy.is_short
    assert remedy.effect != "not measured"


@pytest.mark.slow
def test_a_rare_class_of_two_is_found_by_a_threshold_whose_score_is_measured(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=2000)
    y = np.where(rng.random(2000) < 0.12 / (1.0 + np.exp(3.0 - 2.0 * x)), "rare", "usual")
    table = tmp_path / "t.csv"
    table.write_text("\n".join(["x,y", *(f"{a:.4f},{b}" for a, b in zip(x, y, strict=True))]) + "\n")
    assert 0 < np.mean(y == "rare") < 0.05
    run = trained(table, tmp_path / "run", ["epochs=3", "validation=0.5"], target="y")
    first = diagnose(run, tries=True)
    assert codes(first)[0] == CODE.CLASS_NEVER_PREDICTED
    assert first.remedies[0].goal == ("--recall", "0.5", "--positive", "rare")
    assert first.remedies[0].before == 0.0


@pytest.mark.slow
def test_a_weight_of_a_missed_class_is_scored_by_the_balanced_accuracy(
    tables: Callable[[str], Path], tmp_path: Path
) -> None:
    run = trained(tables("rare"), tmp_path / "run", ["layers=[]", "epochs=20"], target="y")
    problem = TrainingProblem(CODE.CLASS_NEVER_PREDICTED, "", 1.0, ("class_weight=balanced",))
    (remedy,) = measure_remedies(run, [problem])
    assert (remedy.measure, remedy.higher_is_better) == ("balanced accuracy", True)
    assert remedy.effect != "not measured"
