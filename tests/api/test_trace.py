"""`trace`: which step it takes, of configurations, tables, runs and ensembles."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nncli import share, trace, train
from nncli.api.trace import Trace
from nncli.base.errors import DataError, NncliError, RunError, UsageError
from nncli.models.model import Model
from nncli.run_directory.run import Run

ROOT = Path(__file__).parents[2]
LINEAR = ROOT / "configs" / "linear.yaml"
TABLE = ROOT / "data" / "linear.csv"
SHORT = ("epochs=2", "batch_size=50", "optimizer.momentum=0.9")  # steps 1 to 6


def after(result: Trace) -> dict[str, Any]:
    return {update.name: update.after for layer in result.step.layers for update in layer.updates}


def same(a: Trace, b: Trace) -> bool:
    one, other = dict(a.as_json), dict(b.as_json)
    return all(one[key] == other[key] for key in one if key not in ("source", "notes"))


def test_all_numbers_of_a_wide_network_are_refused_at_once(here: Path) -> None:
    wide = ["layers=[2000, 2000]", "epochs=2"]
    with pytest.raises(UsageError):
        trace(LINEAR, set=wide, all=True)
    assert trace(LINEAR, set=["layers=[100]", "epochs=2"], all=True, rows=[1]).rows == (1,)


def test_an_exposure_is_an_offset_of_the_output_and_part_of_the_losses_of_rows(tmp_path: Path) -> None:
    rows = [f"{i % 7},{(0.5, 1.0, 2.0)[i % 3]},{i % 4}" for i in range(60)]
    table = tmp_path / "claims.csv"
    table.write_text("\n".join(["a,years,claims", *rows]) + "\n")
    settings = ["preset=textbook", "layers=[2]", "data.exposure=years", "loss=poisson"]
    result = trace(table, target="claims", set=settings)
    step = result.step
    assert result.exposure == "years"
    last = step.layers[-1].forward[-1].values[:, 0]
    assert step.offset is not None
    assert np.array_equal(step.output[:, 0], last + step.offset)
    assert step.row_losses.sum() == pytest.approx(step.loss, rel=1e-5)
    assert np.allclose(result.predictions[:, 0], np.exp(step.output[:, 0]))
    assert result.as_json["offset"] == pytest.approx(step.offset)


@pytest.fixture
def run(here: Path) -> Path:
    return train(LINEAR, set=SHORT).run


@pytest.mark.parametrize(("epochs", "step"), [(1, 3), (2, 6)])
def test_the_weights_after_the_last_step_are_those_of_the_run(here: Path, epochs: int, step: int) -> None:
    settings = [*SHORT, f"epochs={epochs}"]
    trained = train(LINEAR, set=settings)
    assert trained.best_epoch == epochs
    model = Run(trained.run).load_model()
    assert isinstance(model, Model)
    result = trace(LINEAR, set=settings, step=step)
    assert (result.step.step, result.epoch, result.batch, result.batches) == (step, epochs, 3, 3)
    assert len(result.rows) == 28
    for name, values in after(result).items():
        assert np.array_equal(values, model.parameters.by_name[name])


@pytest.mark.slow
def test_a_step_of_a_run_is_that_of_its_configuration(run: Path) -> None:
    for step in (1, 4, 6):
        result = trace(run, step=step)
        assert same(result, trace(LINEAR, set=SHORT, step=step))
        assert result.notes == ()


def test_a_run_goes_on_with_the_step_after_its_last_checkpoint(run: Path) -> None:
    longer = trace(LINEAR, set=[*SHORT, "epochs=3"], step=7)
    result = trace(run)
    assert result.step.step == 7
    assert same(result, longer)
    assert len(result.notes) == 1


@pytest.mark.slow
def test_rows_and_tables_replace_the_batch(here: Path) -> None:
    chosen = trace(LINEAR, rows=[5, 1])
    rows = [line.split(",") for line in TABLE.read_text("utf-8").splitlines()]
    assert chosen.rows == (5, 1)
    assert chosen.step.batch.X.tolist() == np.array([rows[5][:2], rows[1][:2]], np.float32).tolist()
    Path("new.csv").write_text("x1,x2,y\n1,2,1\n3,4,\n0,0,0\n", "utf-8")
    assert trace(LINEAR, "new.csv").rows == (1, 3)
    third = trace(LINEAR, "new.csv", rows=(3,), step=5)
    assert (third.rows, third.step.step, third.step.batch.X.tolist()) == ((3,), 5, [[0.0, 0.0]])


@pytest.mark.parametrize(
    ("table", "rows", "number"), [("new.csv", 3, 4), ("new.csv", 3, 0), (None, 128, 200), (None, 128, 0)]
)
def test_of_a_row_that_is_not_there_the_error_has_the_number_of_rows(
    here: Path, table: str | None, rows: int, number: int
) -> None:
    Path("new.csv").write_text("x1,x2,y\n1,2,1\n3,4,\n0,0,0\n", "utf-8")
    with pytest.raises(UsageError, match=f"row {number} ") as raised:
        trace(LINEAR, table, rows=[number])
    assert f" {rows} rows" in str(raised.value.hint)


def test_a_row_of_the_table_that_is_not_trained_on_is_no_row_out_of_the_table(here: Path) -> None:
    Path("new.csv").write_text("x1,x2,y\n1,2,1\n3,4,\n0,0,0\n", "utf-8")
    with pytest.raises(UsageError, match="row 2 ") as raised:
        trace(LINEAR, "new.csv", rows=[2])
    assert "rows" in str(raised.value.hint)
    settings = ["validation=0.25", "batch_size=full"]
    held_out = min({*range(1, 129)} - {*trace(LINEAR, set=settings).rows})
    with pytest.raises(UsageError, match=f"row {held_out} ") as raised:
        trace(LINEAR, set=settings, rows=[held_out])
    assert "128 rows" not in str(raised.value.hint)


@pytest.mark.slow
def test_of_large_gradients_every_number_is_shown_and_the_norm_is_checked(here: Path) -> None:
    result = trace(ROOT / "configs" / "spirals.yaml", set=["layers=[300,300]"], all=True)
    weight = next(g for g in result.step.layers[1].backward if g.symbol == "dW")
    assert weight.differences is None
    assert weight.norm_difference == pytest.approx(weight.norm, rel=1e-3)
    bias = next(g for g in result.step.layers[1].backward if g.symbol == "db")
    assert bias.differences is not None


def test_the_example_of_the_documentation_comes_out(here: Path) -> None:
    """docs/mathematics.md, "A step by hand"."""
    Path("hand.csv").write_text("x1,x2,y\n1,2,1\n", "utf-8")
    result = trace(LINEAR, "hand.csv", set=["precision=float64"])
    output, activation = result.step.layers
    x, (W, b) = np.array([1.0, 2.0]), (value.values for value in output.parameters)
    z = float(x @ W[:, 0] + b[0])
    y = 1.0 / (1.0 + np.exp(-z))
    dy = 2.0 * (y - 1.0)
    dz = dy * y * (1.0 - y)
    assert output.forward[0].values.item() == pytest.approx(z)
    assert activation.forward[0].values.item() == pytest.approx(y)
    assert activation.backward[0].values.item() == pytest.approx(dy)
    expected = {"dZ": [[dz]], "dW": [[dz], [2.0 * dz]], "db": [dz]}
    assert {g.symbol: g.values.tolist() for g in output.backward} == {
        symbol: pytest.approx(np.array(values)) if symbol == "db" else [pytest.approx(row) for row in values]
        for symbol, values in expected.items()
    }
    assert after(result)["output.weight"].tolist() == [[pytest.approx(W[i, 0] - 0.01 * x[i] * dz)] for i in (0, 1)]


@pytest.mark.slow
def test_of_an_ensemble_the_first_member_is_traced(here: Path) -> None:
    settings = ["members=3", "workers=1", "epochs=1", "layers=[4]", "preset=textbook"]
    run = train(ROOT / "data" / "xor.csv", target="label", set=settings, output="runs/three").run
    of_config = trace(ROOT / "data" / "xor.csv", target="label", set=settings, step=2)
    of_run = trace(run, step=2)
    assert same(of_config, of_run)
    assert same(of_run, trace(min((run / "members").iterdir()), step=2))
    assert len(of_config.notes) == len(of_run.notes) == 1


@pytest.mark.slow
def test_the_default_network_is_traced_too(here: Path) -> None:
    result = trace(ROOT / "data" / "penguins.csv", target="species")
    kinds = {layer.type for layer in result.step.layers}
    assert {"embedding", "scale", "dense", "parametric_activation", "dropout"} <= kinds
    gradients = [gradient for layer in result.step.layers for gradient in layer.backward]
    large = [gradient for gradient in gradients if gradient.norm_difference is not None]
    assert len(large) > 20
    for gradient in large:
        assert gradient.norm_difference == pytest.approx(gradient.norm, rel=1e-3, abs=1e-6)


@pytest.mark.slow
def test_a_compiled_training_says_that_its_last_digits_may_differ(here: Path) -> None:
    xor = ROOT / "configs" / "xor.yaml"
    result = trace(xor, set=["backend=numba"], step=12)
    assert len(result.notes) == 1
    plain = trace(xor, set=["backend=numpy"], step=12)
    assert plain.notes == ()
    assert result.rows == plain.rows
    assert np.allclose(after(result)["output.weight"], after(plain)["output.weight"], rtol=1e-4)


@pytest.mark.slow
def test_all_numbers_of_a_trace_are_in_its_json(here: Path) -> None:
    document = json.loads(json.dumps(trace(ROOT / "configs" / "penguins.yaml", step=2).as_json, allow_nan=False))
    assert document["labels"] == ["Adelie", "Chinstrap", "Gentoo"]
    assert len(document["X"]) == len(document["y"]) == len(document["rows"]) == len(document["loss"]["rows"]) == 32
    first = document["layers"][0]
    assert [gradient["symbol"] for gradient in first["backward"]] == ["dY", "dZ", "dW", "db"]
    assert np.array(first["backward"][2]["values"]).shape == np.array(first["updates"][0]["after"]).shape
    assert first["updates"][0]["state"]["velocity"]["before"] != first["updates"][0]["state"]["velocity"]["after"]


@pytest.mark.parametrize("step", [7, 100])
def test_a_step_after_the_end_is_an_error(here: Path, step: int) -> None:
    with pytest.raises(UsageError) as raised:
        trace(LINEAR, set=SHORT, step=step)
    assert "6" in str(raised.value.hint)


def test_a_training_that_diverges_is_an_error(here: Path) -> None:
    with pytest.raises(NncliError):
        trace(ROOT / "configs" / "linear-regression.yaml", set=["learning_rate=10"], step=1000)


@pytest.mark.slow
def test_a_run_without_its_table_is_not_traced(here: Path) -> None:
    shutil.copy(TABLE, "linear.csv")
    run = train("linear.csv", target="y", set=["preset=textbook", "epochs=1"], output="runs/a").run
    share(run, "copy.zip")
    shutil.unpack_archive("copy.zip", "copy")
    with pytest.raises(RunError):
        trace(next(Path("copy").rglob("manifest.json")).parent)
    Path("linear.csv").write_text("x1,x2,y\n1,2,3\n4,5,6\n7,8,9\n", "utf-8")
    with pytest.raises(DataError):
        trace(run)
