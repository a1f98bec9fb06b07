"""Features selected on the training rows: which, what a run records of it, and what it leaves out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from nncli import predict, train
from nncli.base.findings import FindingCode
from nncli.config.loading import load_config
from nncli.data.encoders.column_types import ColumnType
from nncli.fitting.prepare.prepare import PreparedTraining, prepare
from nncli.run_directory.run import Run

N_ROWS = 80


def write_table(folder: Path, target: str = "class") -> Path:
    """A table in which `signal` and `word` tell about the target, and eight columns do not."""
    rng = np.random.default_rng(0)
    signal = rng.normal(size=N_ROWS)
    columns = {f"noise{j}": rng.normal(size=N_ROWS) for j in range(4)}
    columns["signal"] = signal
    columns |= {f"noise{j}": rng.normal(size=N_ROWS) for j in range(4, 8)}
    frame = pl.DataFrame({**columns, "word": np.where(signal > 0.5, "high", "low")})
    y = np.where(signal > 0.0, "a", "b") if target == "class" else signal * 3.0 + 7.0
    frame.with_columns(y=pl.Series(y)).write_csv(folder / "t.csv")
    (folder / "c.yaml").write_text(
        "data: {path: t.csv, target: y}\nlayers: [4]\nepochs: 2\nbatch_size: 16\nencoding: {max_features: 2}\n"
    )
    return folder / "c.yaml"


def names(prepared: PreparedTraining) -> list[str]:
    return prepared.spec.encoder.names


@pytest.mark.parametrize("target", ["class", "number"])
def test_the_columns_that_tell_most_are_kept_in_their_order(tmp_path: Path, target: str) -> None:
    prepared = prepare(load_config(write_table(tmp_path, target)))
    assert names(prepared) == ["signal", "word"]
    assert prepared.config.data.features == ("signal", "word")
    assert dict(prepared.config.data.columns) == {"signal": ColumnType.NUMERIC, "word": ColumnType.CATEGORICAL}
    assert prepared.spec.network.n_features == prepared.training.dataset.X.shape[1] == prepared.spec.encoder.width
    finding, *others = [f for f in prepared.findings if f.code is FindingCode.SELECTED_FEATURES]
    assert not others
    assert finding.level == "note"


def test_only_training_rows_select(tmp_path: Path) -> None:
    config = load_config(write_table(tmp_path, "number"))
    rows = prepare(config).arguments.rows
    assert rows is not None
    frame = pl.read_csv(tmp_path / "t.csv")
    in_validation = ~np.isin(np.arange(1, N_ROWS + 1), rows)
    told = np.where(in_validation, 1e6 * frame["y"].to_numpy(), frame["noise0"].to_numpy())
    frame.with_columns(noise0=pl.Series(told)).write_csv(tmp_path / "t.csv")
    assert names(prepare(config)) == ["signal", "word"]


@pytest.mark.parametrize("limit", ["null", "10", "auto"])
def test_a_table_of_no_more_columns_is_left_as_it_is(tmp_path: Path, limit: str) -> None:
    prepared = prepare(load_config(write_table(tmp_path), [f"encoding.max_features={limit}"]))
    assert len(names(prepared)) == 10
    assert FindingCode.SELECTED_FEATURES not in {finding.code for finding in prepared.findings}
    assert prepared.config.encoding.max_features == {"null": None, "10": 10, "auto": 2_000}[limit]


def test_columns_of_many_categories_are_kept(tmp_path: Path) -> None:
    config = write_table(tmp_path)
    frame = pl.read_csv(tmp_path / "t.csv")
    frame.with_columns(code=pl.Series([f"c{i % 8}" for i in range(N_ROWS)])).write_csv(tmp_path / "t.csv")
    prepared = prepare(load_config(config, ["encoding.categories.max_one_hot=4"]))
    assert names(prepared) == ["signal", "code"]


@pytest.mark.slow
def test_a_run_needs_only_its_features_and_trains_again_to_the_same_bits(tmp_path: Path) -> None:
    finished = train(write_table(tmp_path), output=tmp_path / "run")
    again = train(finished.run / "config.yaml", output=tmp_path / "again")
    weights = [(run / "model.safetensors").read_bytes() for run in (finished.run, again.run)]
    assert weights[0] == weights[1]
    assert Run.open(finished.run).load_model().names == ["signal", "word"]
    frame = pl.read_csv(tmp_path / "t.csv")
    frame.select("word", "signal").write_csv(tmp_path / "new.csv")
    predicted = [predict(finished.run, tmp_path / name) for name in ("t.csv", "new.csv")]
    assert len({str(item) for item in predicted}) == 1


@pytest.mark.slow
def test_each_member_selects_on_its_own_training_rows(tmp_path: Path) -> None:
    assignments = ["members=3", "workers=1", "encoding.max_features=4"]
    train(write_table(tmp_path), set=assignments, output=tmp_path / "run")
    model = Run.open(tmp_path / "run").load_model()
    assert {"signal", "word"} < set(model.names)
    assert len(model.names) > 4
    frame = pl.read_csv(tmp_path / "t.csv").select(model.names)
    frame.write_csv(tmp_path / "new.csv")
    predict(tmp_path / "run", tmp_path / "new.csv")
