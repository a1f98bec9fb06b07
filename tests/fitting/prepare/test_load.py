"""A table that is read in blocks, from a file, a pipe or Parquet, is prepared to the same bits as one read whole."""

from __future__ import annotations

import os
import threading
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from nncli.config.schema import Config
from nncli.data.formats.read_options import ReadOptions
from nncli.fitting.prepare import load
from nncli.fitting.prepare.prepare import PreparedTraining, prepare
from tests.assertions import lines

N = 300
TABLE = pl.DataFrame(
    {
        "number": [None if i % 17 == 0 else f"{i * 37 % 101 / 7:.4f}" for i in range(N)],
        "late": [str(i % 3) if i < 200 else f"0{i % 3}" for i in range(N)],  # text, though it begins as numbers
        "many": [f"c{i * i % 40}" for i in range(N)],
        "few": [None if i % 50 == 3 else "abc"[i % 3] for i in range(N)],
        "unused": [f"text {i}" for i in range(N)],
        "w": [str(1 + i % 4) for i in range(N)],
        "y": [None if i % 29 == 5 else f"{(i * 31 % 83) / 3:.3f}" for i in range(N)],
        "label": [None if i % 31 == 7 else str(i % 4) for i in range(N)],
    }
)


def config(path: Path, target: str, sample: int | None = None, **more: Any) -> Config:
    other = {"y": "label", "label": "y"}[target]
    data = {
        "path": str(path),
        "target": target,
        "drop": ["unused", other],
        "sample_weight": "w",
        "missing_values": ["NA"],
        "sample": sample,
    }
    return Config.model_validate({"data": data, **more})


def everything(prepared: PreparedTraining) -> tuple[object, ...]:
    """All that training starts from, its arrays as bytes."""
    result: list[object] = [prepared.spec, prepared.table_rows]
    for some in (prepared.training, prepared.validation):
        assert some is not None
        e = some.dataset
        result += [a.tobytes() for a in (e.X, e.codes, e.y, e.weights, some.y, some.weights) if a is not None]
    assert prepared.arguments.rows is not None
    return (*result, prepared.arguments.rows.tolist())


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    TABLE.write_csv(tmp_path / "t.csv", null_value="NA")
    return tmp_path / "t.csv"


@pytest.mark.slow
@pytest.mark.parametrize("first", [120, 500, 3000])
@pytest.mark.parametrize(("target", "more"), [("y", {}), ("label", {"loss": {"type": "cross_entropy"}})])
def test_the_block_size_changes_nothing(
    csv: Path, target: str, more: dict[str, Any], first: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = prepare(config(csv, target, **more))
    monkeypatch.setattr(load, "ReadOptions", partial(ReadOptions, block_bytes=500))
    monkeypatch.setattr(load, "FIRST_BYTES", first)
    monkeypatch.setattr("nncli.base.scratch.MAX_IN_MEMORY", 100)
    in_blocks = prepare(config(csv, target, **more))
    assert everything(in_blocks) == everything(whole)
    assert in_blocks.findings == whole.findings


@pytest.mark.slow
def test_a_pipe_is_prepared_to_the_same_bits(csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "ReadOptions", partial(ReadOptions, block_bytes=500))
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=lambda: (tmp_path / "pipe").write_bytes(csv.read_bytes()))
    writer.start()
    piped = prepare(config(tmp_path / "pipe", "y"))
    writer.join()
    assert everything(piped) == everything(prepare(config(csv, "y")))


@pytest.mark.slow
def test_parquet_read_in_chunks_gives_the_same_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    typed = TABLE.with_columns(pl.col("number", "y").cast(pl.Float64), pl.col("w").cast(pl.Int64))
    typed.write_parquet(tmp_path / "t.parquet")
    whole = prepare(config(tmp_path / "t.parquet", "y"))
    monkeypatch.setattr(load, "COLUMNAR_ROWS", 70)
    assert everything(prepare(config(tmp_path / "t.parquet", "y"))) == everything(whole)


def test_a_validation_file_has_the_category_spelling_of_the_training_table(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,y\n" + "".join(f"{'1.0' if i % 2 else 'x'},{i}\n" for i in range(20)))
    (tmp_path / "v.csv").write_text("a,y\n1.0,3\n1.0,5\n")
    prepared = prepare(
        Config.model_validate(
            {"data": {"path": str(tmp_path / "t.csv"), "target": "y"}, "validation": {"path": str(tmp_path / "v.csv")}}
        )
    )
    assert prepared.validation is not None
    assert np.array_equal(prepared.validation.dataset.X, [[1, 0], [1, 0]])


@pytest.mark.parametrize("training", ["t.csv", "t.parquet"])
def test_a_validation_file_of_typed_numbers_is_read_once(tmp_path: Path, training: str) -> None:
    table = pl.DataFrame({"a": [i / 7 for i in range(20)], "y": [i / 3 for i in range(20)]})
    table.write_csv(tmp_path / "t.csv")
    table.write_parquet(tmp_path / "t.parquet")
    paths = {
        "data": {"path": str(tmp_path / training), "target": "y"},
        "validation": {"path": str(tmp_path / "t.parquet")},
    }
    prepared = prepare(Config.model_validate(paths))
    assert prepared.validation is not None
    assert np.array_equal(prepared.validation.dataset.X, prepared.training.dataset.X)


@pytest.mark.slow
def test_a_sample_is_drawn_of_the_rows_with_a_target_and_noted(csv: Path) -> None:
    loaded = prepare(config(csv, "label"))
    assert loaded.validation is not None
    labeled = len(loaded.training) + len(loaded.validation)
    sampled = prepare(config(csv, "label", sample=40))
    assert sampled.validation is not None
    assert len(sampled.training) + len(sampled.validation) == 40
    assert sampled.table_rows == N
    assert any("40" in line and f"{labeled:,}" in line for line in lines(sampled.findings))
    assert everything(prepare(config(csv, "label", sample=labeled))) == everything(loaded)


def test_a_validation_file_is_not_sampled(csv: Path) -> None:
    prepared = prepare(config(csv, "label", sample=40, validation={"path": str(csv)}))
    assert prepared.validation is not None
    assert len(prepared.training) == 40
    assert len(prepared.validation) > 200
