"""The wording of errors of evaluation. It is pinned here alone: other tests check the file that is named."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from nncli import train
from nncli.analysis.evaluation.held_out import predict_held_out
from nncli.base.errors import NncliError
from nncli.run_directory.manifest import CONFIG
from tests.cli.support import DATA


def add_a_row(folder: Path) -> None:
    with (folder / "t.csv").open("a") as file:
        file.write("1,2,3\n")


def delete_table(folder: Path) -> None:
    (folder / "t.csv").unlink()


def edit_config(folder: Path) -> None:
    path = folder / "run" / CONFIG
    path.write_text(path.read_text().replace("\nseed: 0", "\nseed: 1"))


CASES: dict[str, tuple[Callable[[Path], None], str]] = {
    "a changed table": (
        add_a_row,
        (
            "FOLDER/t.csv: the validation rows cannot be read again: the table has "
            "changed since the training began\n"
            "  Restore the training table, or score the run on another one: nncli evaluate RUN TABLE"
        ),
    ),
    "no table": (
        delete_table,
        (
            "FOLDER/t.csv: the validation rows cannot be read again: there is no such "
            "file\n"
            "  Restore the training table, or score the run on another one: nncli evaluate RUN TABLE"
        ),
    ),
    "a changed configuration": (
        edit_config,
        (
            "FOLDER/run/config.yaml: the configuration has been changed since the training began\n"
            "  Undo the change, or train a new run from it."
        ),
    ),
}


@pytest.mark.parametrize(("change", "text"), CASES.values(), ids=CASES)
def test_the_wording_of_an_error(tmp_path: Path, change: Callable[[Path], None], text: str) -> None:
    shutil.copy(DATA / "linear.csv", tmp_path / "t.csv")
    (tmp_path / "c.yaml").write_text("data: {path: t.csv, target: y}\nlayers: []\nepochs: 1\n")
    run = train(tmp_path / "c.yaml", output=tmp_path / "run").run
    change(tmp_path)
    with pytest.raises(NncliError) as caught:
        predict_held_out(run)
    assert str(caught.value).replace(str(tmp_path), "FOLDER") == text
