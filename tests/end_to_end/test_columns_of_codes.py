"""Columns of codes with digits: init, check, train and predict read them as categories, and none doubts them."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from nncli import check, predict, train
from nncli.api.init import InitResult, draft
from nncli.api.training_input import config_for
from nncli.base.errors import DataError
from nncli.config.loading import load_config
from nncli.data.encoders.column_types import ColumnType
from nncli.run_directory.manifest import CONFIG
from tests.assertions import raises
from tests.data.columns.code_columns import CODES, DOUBTED, cells_of

N = 80
QUICK = "layers: [4]\noptimizer: adam\nlearning_rate: 0.01\nepochs: 1"


def write(folder: Path, columns: dict[str, list[str | None]]) -> Path:
    """A table of these columns and a target, and a configuration beside it."""
    frame = pl.DataFrame({**columns, "y": [i % 17 / 3 for i in range(N)]})
    frame.write_csv(folder / "t.csv")
    (folder / "c.yaml").write_text(f"data: {{path: t.csv, target: y}}\n{QUICK}\n")
    return folder / "t.csv"


def warnings_of(drafted: InitResult) -> list[str]:
    return [finding.line for finding in drafted.findings if finding.level == "warning"]


@pytest.mark.parametrize("missing", [0.0, 0.25])
def test_every_command_reads_codes_as_categories(tmp_path: Path, missing: float) -> None:
    table = write(tmp_path, {name: cells_of(make, N, missing) for name, make in CODES.items()})
    drafted = draft(table, "y")
    assert (warnings_of(drafted), drafted.summary.na_spellings, drafted.summary.has_thousands) == ([], (), False)
    kept = {column.name: column.kind for column in drafted.summary.kept}
    assert set(kept.values()) == {ColumnType.CATEGORICAL}
    report = check(tmp_path / "c.yaml")
    assert not [f for f in report.findings if f.level == "error" or f.code == "ambiguous-numbers"]

    run = train(tmp_path / "c.yaml", output=tmp_path / "run", set=["epochs=1"]).run
    kinds = load_config(run / CONFIG).data.columns
    assert kinds == dict.fromkeys(CODES, ColumnType.CATEGORICAL)
    config, _ = config_for(table, "y", ["preset=textbook"])
    assert dict(kinds) | {name: config.data.columns.get(name, kinds[name]) for name in kept} == kinds
    assert len(predict(run, table)) == N


@pytest.mark.parametrize("name", DOUBTED)
def test_every_command_doubts_the_same_columns_of_numbers(tmp_path: Path, name: str) -> None:
    columns: dict[str, list[str | None]] = {
        "x": cells_of(DOUBTED[name], N, 0.0, seed=1),
        "z": [str(i % 9) for i in range(N)],
    }
    table = write(tmp_path, columns)
    drafted = draft(table, "y")
    result = bool(warnings_of(drafted)) + drafted.summary.has_thousands
    assert result == 1
    errors = [f for f in check(tmp_path / "c.yaml").findings if f.level == "error"]
    assert [f.location.column for f in errors] == ["x"]
    with raises(DataError, file="t.csv", column="x"):
        train(tmp_path / "c.yaml", output=tmp_path / "run")
