from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from nncli import train
from nncli.base.errors import DataError, RunError
from nncli.exporters import parity_check as check_rows
from nncli.exporters.lowering import lower_model
from nncli.exporters.parity_check import reason_of, training_sample, with_unusual_rows
from nncli.models.read_table import read_to_predict
from nncli.nn.program.inputs import CategoryInput, NumberInput
from nncli.run_directory.run import Run
from tests.cli.support import DATA


def test_the_sample_is_rows_of_the_training_table(penguins: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check_rows, "ROWS", 50)
    run = Run.open(penguins)
    model = run.load_model()
    (sample,) = training_sample(run, model)
    (table,) = read_to_predict(model, DATA / "penguins.csv")
    assert len(sample) == 50
    assert sample.frame.equals(table.frame[sample.row_numbers - 1])
    assert len(np.unique(sample.row_numbers)) == 50
    again = training_sample(run, model)[0]
    assert again.row_numbers.tolist() == sample.row_numbers.tolist()


def copied(tmp_path: Path) -> tuple[Run, Path]:
    """A run of a table of its own."""
    table = tmp_path / "penguins.csv"
    shutil.copy(DATA / "penguins.csv", table)
    config = tmp_path / "c.yaml"
    config.write_text(f"data: {{path: {table}, target: species}}\nlayers: [4]\nepochs: 1\n")
    return Run.open(train(config, output=tmp_path / "run").run), table


@pytest.mark.slow
def test_a_table_that_is_gone_or_changed_has_no_sample(tmp_path: Path) -> None:
    run, table = copied(tmp_path)
    assert training_sample(run, run.load_model())
    table.write_text(table.read_text().replace("Adelie", "Adélie"))
    with pytest.raises(DataError) as changed:
        training_sample(run, run.load_model())
    assert str(table) in reason_of(changed.value)
    table.unlink()
    with pytest.raises(DataError):
        training_sample(run, run.load_model())
    (run.path / "config.yaml").write_text((run.path / "config.yaml").read_text().replace("epochs: 1", "epochs: 2"))
    (run.path / "config.yaml").write_text((run.path / "config.yaml").read_text().replace("seed: 0", "seed: 1"))
    with pytest.raises(RunError):
        training_sample(run, run.load_model())


def test_rows_that_predict_refuses_are_left_out(tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    table.write_text("x,y\n" + "".join(f"{i},{2 * i}\n" for i in range(40)) + "oops,\n")
    config = tmp_path / "c.yaml"
    config.write_text(f"data: {{path: {table}, target: y}}\nlayers: [4]\nepochs: 1\n")
    run = Run.open(train(config, output=tmp_path / "run").run)
    (sample,) = training_sample(run, run.load_model())
    assert sample.row_numbers.tolist() == list(range(1, 41))


def test_made_rows_have_missing_and_unseen_cells(penguins: Path) -> None:
    model = Run.open(penguins).load_model()
    program = lower_model(model)
    tables = training_sample(Run.open(penguins), model)
    *same, synthetic, spelled = with_unusual_rows(model, program, tables)
    assert [table.frame.columns for table in same] == [model.names]
    assert synthetic.row_numbers.max() < 0
    numbers = [c.name for c in program.inputs if isinstance(c, NumberInput)]
    assert {spelled.frame[name].dtype for name in numbers} == {pl.String}
    assert (model.predict(spelled).values == model.predict(tables[0].part(0, len(spelled))).values).all()
    for column in program.inputs:
        cells = synthetic.frame[column.name]
        assert cells.null_count() >= 1
        if isinstance(column, CategoryInput):
            assert check_rows.UNSEEN in cells.to_list()
        if isinstance(column, NumberInput) and column.highest is not None and cells.dtype.is_float():
            assert cells.max() > column.highest  # type: ignore[operator]
    assert with_unusual_rows(model, program, []) == []
