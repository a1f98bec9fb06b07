"""Learning curves of several runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nncli import compare, train
from nncli.analysis.report.page import Gallery
from nncli.analysis.report.sections.learning_curves import at_epochs, compared_curves
from nncli.nn.training.loop import EpochReport
from nncli.run_directory.history_and_metrics import History
from tests.analysis.report.support import hostile_run
from tests.cli.support import DATA

SMALL = "layers: [4]\nepochs: 2\nbatch_size: 32\nworkers: 1\n"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two networks and an ensemble of one table, and a network of another, whose names are hostile."""
    folder = tmp_path_factory.mktemp("runs")
    (folder / "c.yaml").write_text(f"data: {{path: {DATA}/penguins.csv, target: species}}\n{SMALL}")
    wanted = {"one": [], "two": ["epochs=3", "learning_rate=0.05"], "several": ["members=2"]}
    paths = [train(folder / "c.yaml", output=folder / name, set=more).run for name, more in wanted.items()]
    return [*paths, hostile_run(folder)]


def report(epoch: int, loss: float) -> EpochReport:
    return EpochReport(
        epoch=epoch, loss=loss, penalty=0, val_loss=None, metric=None, learning_rate=1, is_best=False, seconds=0
    )


@pytest.mark.slow
def test_curves_of_one_kind_share_a_chart(runs: list[Path]) -> None:
    section = compared_curves(compare(runs))
    assert section
    (gallery,) = (part for part in section.parts if isinstance(part, Gallery))
    titles = [figure.title for figure in gallery.figures]
    assert titles[0] == "Validation loss, cross entropy, species"
    assert len(titles) == 6
    assert gallery.figures[0].table.columns == ("epoch", "one", "two", "several")
    assert [row[0] for row in gallery.figures[0].table.rows] == ["1", "2", "3"]
    assert gallery.figures[0].table.rows[2][1] == "–"


def test_a_run_has_a_value_after_an_epoch_if_all_of_its_networks_have() -> None:
    single = History(None, (report(1, 4.0), report(2, np.inf), report(3, 2.0)))
    two = History(None, (report(1, 2.0), report(2, 1.0)))
    values = at_epochs(((1, single), (2, two)), "loss", np.array([1, 2, 3]))
    assert values[0] == 3.0
    assert np.isnan(values[1:]).all()
    assert at_epochs(((1, single),), "loss", np.array([1, 3])).tolist() == [4.0, 2.0]


@pytest.mark.slow
def test_the_history_of_a_resumed_run_is_drawn_completely(runs: list[Path], tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(f"data: {{path: {DATA}/penguins.csv, target: species}}\n{SMALL}")
    longer = train(resume=train(tmp_path / "c.yaml", output=tmp_path / "longer").run, set=["epochs=5"]).run
    section = compared_curves(compare([runs[0], longer]))
    assert section
    (gallery,) = (part for part in section.parts if isinstance(part, Gallery))
    assert [row[0] for row in gallery.figures[0].table.rows] == ["1", "2", "3", "4", "5"]
