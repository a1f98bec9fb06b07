"""Monotone columns through every kind of target, operation and export: no pair of rows in the wrong order."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest

from nncli import cross_validate, distill, explain, export, load, predict, report, show, train
from nncli.base.errors import ConfigError, DataError, Location
from nncli.exporters.formats import ExportFormat
from nncli.run_directory.run import Run
from tests.exporters.support import EXPORT_FORMATS
from tests.thorough import in_turn, partly

QUICK = ["quality=fast", "epochs=3", "members=2", "workers=1", "encoding.clip_target=false"]
MONOTONE = "monotone={up: increasing, down: decreasing}"
FEATURES = ("up", "down", "free", "kind")
TARGETS_AND_SETTINGS = {
    "number": ("y", ["loss=mse"]),
    "quantiles": ("y", ["loss={type: quantiles, levels: [0.1, 0.5, 0.9]}"]),
    "distribution": ("y", ["loss=normal"]),
    "mixture": ("y", ["loss={type: mixture, components: 2}"]),
    "amount": ("amount", ["loss=gamma"]),
    "log-normal amount": ("amount", ["loss=log_normal"]),
    "count with zeros": ("count", ["loss=zero_inflated_poisson"]),
    "classes": ("class", []),
    "ordered classes": ("size", ["data.order=[low, mid, high]"]),
    "time to an event": ("amount", ["loss={type: survival, event: class}"]),
    "proportional hazards": ("amount", ["loss={type: cox, event: class}"]),
    "exposure": ("count", ["loss=poisson", "data.exposure=years"]),
}


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng, n = np.random.default_rng(0), 300
    up, down, free = rng.normal(size=(3, n))
    score = up + np.sin(3.0 * up) + np.sin(3.0 * down) - down + free  # not monotone: the bounds have work
    path = tmp_path_factory.mktemp("table") / "t.csv"
    pl.DataFrame(
        {
            "up": [None if i % 17 == 0 else value for i, value in enumerate(up.tolist())],
            "down": down,
            "free": free,
            "kind": rng.choice(["a", "b", "c"], n),
            "years": rng.uniform(0.5, 2.0, n),
            "y": score,
            "amount": np.exp(score / 2.0),
            "count": rng.poisson(np.exp(score / 3.0)),
            "class": np.where(score > 0.0, "yes", "no"),
            "size": np.array(["low", "mid", "high"])[np.searchsorted([-1.0, 1.0], score)],
        }
    ).write_csv(path)
    return path


@pytest.fixture(scope="module")
def number(table: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that predicts y; not to be changed."""
    return trained(table, tmp_path_factory.mktemp("number") / "run", "y", ["loss=mse"])


def trained(table: Path, output: Path, target: str | list[str], settings: list[str], **options: Any) -> Path:
    names = [target] if isinstance(target, str) else target
    others = {"years", "y", "amount", "count", "class", "size"}.difference(names)
    others -= {"class"} if any("event:" in setting for setting in settings) else set()
    others -= {"years"} if any("exposure" in setting for setting in settings) else set()
    drop = f"data.drop=[{', '.join(sorted(others))}]"
    return train(table, target=target, set=[*QUICK, MONOTONE, drop, *settings], output=output, **options).run


def pairs(table: Path, column: str, repeats: int = 4) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Rows, and the same with a higher value of a column: far, near, and the next number."""
    rng = np.random.default_rng(1)
    rows = pl.read_csv(table).drop_nulls("up")
    rows = pl.concat([rows] * repeats)
    low = rng.normal(size=len(rows)) * rng.choice([0.1, 1.0, 100.0], len(rows))
    steps = rng.exponential(size=len(rows)) * rng.choice([1e-6, 1.0, 100.0], len(rows))
    high = np.where(rng.random(len(rows)) < 0.3, np.nextafter(low, np.inf), low + steps)
    first, second = (rows.with_columns(pl.Series(column, values)) for values in (low, high))
    return first, second


def rises(predicted: pl.DataFrame) -> npt.NDArray[np.float64]:
    """The columns of predictions that rise with the prediction (rows, columns)."""
    probabilities = [name for name in predicted.columns if name.startswith("proba_")]
    if not probabilities:
        return predicted.select(pl.selectors.numeric() - pl.selectors.matches("^sd")).to_numpy().astype(np.float64)
    P = predicted.select(probabilities).to_numpy().astype(np.float64)
    labels = [name.removeprefix("proba_") for name in probabilities]
    codes = np.array([labels.index(str(label)) for label in predicted["prediction"]])
    if len(labels) == 2:
        return np.column_stack([codes, -P[:, 0], P[:, 1]])
    return np.column_stack([codes, -P[:, 0], P[:, -1]])


def assert_monotone(predictions: Any, table: Path, repeats: int = 4) -> None:
    """No pair of rows is in the wrong order; `predictions` are those of a table."""
    for column, sign in (("up", 1.0), ("down", -1.0)):
        first, second = (rises(predictions(rows)) for rows in pairs(table, column, repeats))
        assert (sign * (second - first) >= 0.0).all(), column
        assert (second != first).any()


@partly
@pytest.mark.parametrize(("kind", "precision"), in_turn([*TARGETS_AND_SETTINGS], ("float32", "float64")))
def test_predictions_of_every_kind_are_monotone(table: Path, tmp_path: Path, kind: str, precision: str) -> None:
    target, settings = TARGETS_AND_SETTINGS[kind]
    run = trained(table, tmp_path / "run", target, [*settings, f"precision={precision}"])
    proba = kind in ("classes", "ordered classes")
    assert_monotone(lambda rows: load(run).predict(rows, proba=proba), table)


def test_compiled_loops_hold_the_bounds_too(table: Path, tmp_path: Path) -> None:
    pytest.importorskip("numba")
    run = trained(table, tmp_path / "run", "y", ["loss=mse", "backend=numba"])
    assert_monotone(load(run).predict, table)


def test_each_of_several_targets_is_monotone(table: Path, tmp_path: Path) -> None:
    run = trained(table, tmp_path / "run", ["y", "amount", "class"], [])
    for name, proba in (("y", False), ("amount", False), ("class", True)):
        part = Run.open(run).targets[name].path
        assert_monotone(lambda rows, part=part, proba=proba: load(part).predict(rows, proba=proba), table)
        assert show(part).monotone == {"up": "increasing", "down": "decreasing"}


def target_of(name: str) -> ExportFormat:
    return next(target for target in EXPORT_FORMATS if target.name == name)


EXPORTED = ("python", "c", "js", "onnx")


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_exports_are_monotone(table: Path, tmp_path: Path, precision: str) -> None:
    run = trained(table, tmp_path / "run", "class", [f"precision={precision}"])
    for to in EXPORTED:
        runner = target_of(to).load_runner()
        if runner.missing() is None:
            file = export(run, tmp_path / f"model{target_of(to).suffix}", to=to, check=False).path
            assert_monotone(lambda rows, file=file, runner=runner: runner.run(file, rows.select(FEATURES)), table, 1)


def test_a_later_date_is_never_predicted_lower(tmp_path: Path) -> None:
    rng, n = np.random.default_rng(0), 300
    seconds = rng.integers(1_400_000_000, 1_700_000_000, n)
    moments = pl.Series(seconds * 1_000_000).cast(pl.Datetime("us"))
    free = rng.normal(size=n)
    y = seconds / 1e8 + np.sin(seconds / 2e6) + free  # with a season, which a date that is monotone must not show
    (tmp_path / "t.csv").write_text(pl.DataFrame({"when": moments, "free": free, "y": y}).write_csv())
    run = train(
        tmp_path / "t.csv", target="y", set=[*QUICK, "monotone={when: increasing}"], output=tmp_path / "run"
    ).run
    assert show(run).monotone == {"when": "increasing"}
    later = np.sort(np.concatenate([seconds, seconds + 1, rng.integers(-(10**10), 10**10, n)]))
    table = pl.DataFrame({"when": pl.Series(later * 1_000_000).cast(pl.Datetime("us")), "free": 0.5})
    assert (np.diff(load(run).predict(table)["prediction"].to_numpy()) >= 0.0).all()
    for to in EXPORTED:
        runner = target_of(to).load_runner()
        if runner.missing() is None:
            file = export(run, tmp_path / f"model{target_of(to).suffix}", to=to, check=False).path
            exported = runner.run(file, table)["prediction"].to_numpy()
            assert (np.diff(exported) >= 0.0).all()
            assert exported[-1] > exported[0]


def test_a_student_and_a_resumed_training_are_monotone(table: Path, tmp_path: Path) -> None:
    run = trained(table, tmp_path / "run", "y", ["loss=mse", "members=1"])
    train(resume=run, set=["epochs=7"])
    assert_monotone(load(run).predict, table)
    student = distill(run, output=tmp_path / "student", set=["epochs=3"]).run
    assert_monotone(load(student).predict, table)


def test_folds_of_a_cross_validation_are_monotone(table: Path, tmp_path: Path) -> None:
    drop = "data.drop=[years, amount, count, class, size]"
    cross_validate(table, target="y", set=[*QUICK, MONOTONE, drop], folds=2, output=tmp_path / "cv")
    folds = sorted((tmp_path / "cv" / "folds").iterdir())
    assert len(folds) == 2
    for fold in folds:
        assert_monotone(load(fold).predict, table)


def test_a_missing_cell_of_a_monotone_column_is_free(table: Path, number: Path) -> None:
    rows = pl.read_csv(table).with_columns(up=None)
    assert predict(number, rows)["prediction"].is_finite().all()


def test_what_is_shown_of_a_run_has_the_directions(number: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(number, tmp_path / "run"))
    assert ("monotone", "increasing in 'up', decreasing in 'down'") in show(run).facts()
    curves = {curve.column: curve for curve in explain(run, top=1).partial_dependence}
    assert {name: curve.monotone for name, curve in curves.items() if curve.monotone} == show(run).monotone
    assert (np.diff(curves["up"].means[:, 0]) >= 0.0).all()
    assert (np.diff(curves["down"].means[:, 0]) <= 0.0).all()
    page = report(run).html.read_text()
    assert "monotone by construction: " in page


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        (["monotone={kind: increasing}"], "monotone.kind"),
        (["monotone={up: upwards}"], "monotone.up"),
        (["layers=[{type: dense, units: 4, activation: gelu}]", "quality=null"], "layers.0"),
        (["layers=[8, batch_norm]", "quality=null"], "layers.1"),
        (["numeric_embedding=periodic"], "numeric_embedding"),
        (["encoding.numeric=quantile"], "encoding.numeric"),
        (["output_activation=softplus"], "output_activation"),
        (["data.target=size", "data.drop=[years, y, amount, count, class]"], "monotone"),
    ],
)
def test_what_cannot_be_monotone_is_refused_at_its_key(
    table: Path, tmp_path: Path, settings: list[str], key: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        trained(table, tmp_path / "run", "y", settings)
    (issue,) = refused.value.issues
    assert issue.location is not None
    assert issue.location.key == key
    assert issue.hint


def test_all_that_cannot_be_monotone_is_told_at_once(table: Path, tmp_path: Path) -> None:
    settings = ["monotone={kind: increasing, class: decreasing}", "encoding.numeric=quantile", "loss=cross_entropy"]
    drop = "data.drop=[years, y, amount, count]"
    with pytest.raises(ConfigError) as refused:
        train(table, target="size", set=[*QUICK, *settings, drop], output=tmp_path / "run")
    keys = [issue.location.key for issue in refused.value.issues]
    assert keys == ["monotone.kind", "monotone.class", "encoding.numeric", "monotone"]
    with pytest.raises(ConfigError, match="'amount' and 'years', which are no features"):
        trained(table, tmp_path / "run", "y", ["monotone={amount: increasing, up: increasing, years: decreasing}"])


def test_an_unknown_column_has_a_suggestion(table: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError) as refused:
        trained(table, tmp_path / "run", "y", ["monotone={upp: increasing}"])
    assert "'up'" in str(refused.value.hint)


def test_a_column_that_is_no_feature_is_refused(table: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="'years', which is not a feature"):
        trained(table, tmp_path / "run", "y", ["monotone={years: increasing}"])


def test_ordered_classes_have_no_temperature(table: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        trained(table, tmp_path / "run", "size", ["data.order=[low, mid, high]", "calibration=temperature"])
    assert refused.value.issues[0].location == Location(key="calibration")


def test_interactions_make_sums_of_functions_of_columns_numbers_and_categories_alike(
    table: Path, tmp_path: Path
) -> None:
    sets = "interactions=[[up, kind], [down]]"  # free is a further set
    run = trained(table, tmp_path / "run", "y", ["loss=mse", sets, "precision=float64"])
    assert show(run).interactions == (("up", "kind"), ("down",), ("free",))
    assert ("interactions", "'up' and 'kind'; 'down'; 'free'") in show(run).facts()
    page = report(run).html.read_text()
    assert "<dt>interactions</dt>" in page
    assert "By construction, the output of the network is a sum" in page
    assert explain(run, top=1).interactions == show(run).interactions
    rows = pl.read_csv(table).drop_nulls("up")
    other = rows.reverse()
    for together in (["up", "kind"], ["down"], ["free"]):
        apart = [name for name in FEATURES if name not in together]
        corners = [
            load(run).predict(pl.concat([a.select(together), b.select(apart)], how="horizontal"))["prediction"]
            for a, b in ((rows, rows), (rows, other), (other, rows), (other, other))
        ]
        first, second, third, fourth = (corner.to_numpy() for corner in corners)
        np.testing.assert_allclose(first + fourth, second + third, atol=1e-9)
        assert np.abs(first - third).max() > 1e-3


@pytest.mark.parametrize(
    ("setting", "key", "hint"),
    [
        ("interactions=[up, kind]", "interactions", "[[up, kind]]"),
        ("interactions=[[]]", "interactions", None),
        ("interactions=[[up, up]]", "interactions", None),
        ("interactions=[[up, down], [down, up]]", "interactions", None),
        ("interactions=[[years]]", "interactions", None),
        ("monotone={years: increasing}", "monotone", None),
        ("monotone.up=up", "monotone.up", "increasing"),
    ],
)
def test_what_is_set_wrong_is_refused_at_its_key(
    table: Path, tmp_path: Path, setting: str, key: str, hint: str | None
) -> None:
    with pytest.raises(ConfigError) as refused:
        trained(table, tmp_path / "run", "y", [setting])
    (issue,) = refused.value.issues
    assert issue.location.key == key
    assert (issue.location.source or "").startswith(f"--set {key}")
    assert hint is None or hint in str(issue.hint)


@pytest.mark.parametrize(
    ("settings", "key", "hint"),
    [
        (["layers=[8, layer_norm]", "quality=null", "interactions=[[up]]"], "layers.1", "layer_norm"),
        (["data.features=[up, down, free, class]", "monotone={class: increasing}"], "monotone.class", "0 and 1"),
    ],
)
def test_a_hint_says_what_fits(table: Path, tmp_path: Path, settings: list[str], key: str, hint: str) -> None:
    with pytest.raises(ConfigError) as refused:
        train(table, target="y", set=[*QUICK, *settings], output=tmp_path / "run")
    (issue,) = refused.value.issues
    assert issue.location.key == key
    assert hint in str(issue.hint)


def test_an_unknown_column_of_a_set_has_a_suggestion(table: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError) as refused:
        trained(table, tmp_path / "run", "y", ["interactions=[[upp]]"])
    assert "'up'" in str(refused.value.hint)
