"""`nncli.show`: the description of a run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nncli import show, train
from nncli.api.show import span_of_epochs
from nncli.base.errors import RunError
from nncli.run_directory.loader import read_manifest
from nncli.run_directory.manifest import MANIFEST, METRICS
from nncli.run_directory.run import Run
from tests.cli.support import DATA


def trained(folder: Path, more: str = "") -> Path:
    """A run on the penguins: two layers, two epochs."""
    config = folder / "c.yaml"
    config.write_text(f"data: {{path: {DATA}/penguins.csv, target: species}}\nlayers: [4, 3]\nepochs: 2\n{more}")
    return train(config, output=folder / "run").run


def test_a_finished_run_is_described_completely(tmp_path: Path) -> None:
    description = show(trained(tmp_path))
    assert (description.kind, description.status) == ("network", "done")
    assert (description.task, description.target) == ("classification", ("species",))
    assert description.classes == ("Adelie", "Chinstrap", "Gentoo")
    assert {column.name: column.kind for column in description.columns}["sex"] == "categorical"
    assert [layer.name for layer in description.layers] == ["input", "layers.0", "layers.1", "output"]
    assert sum(layer.parameters for layer in description.layers) == description.parameters
    assert (description.data_rows, description.epochs) == (344, 2)
    assert description.next_steps == (
        f"nncli report {description.path}",
        f"nncli predict {description.path} NEW_TABLE",
    )


def test_the_scores_are_those_of_metrics_json(tmp_path: Path) -> None:
    run = trained(tmp_path)
    recorded = json.loads((run / METRICS).read_text())
    scores = {(score.rows, score.metric): score for score in show(run).scores}
    for rows in ("training", "validation"):
        score = scores[rows, "log_loss"]
        assert score.value == recorded[rows]["metrics"]["log_loss"]
        assert score.baseline == recorded[rows]["baseline"]["log_loss"]


@pytest.mark.slow
def test_an_ensemble_has_the_layers_of_one_member_and_the_parameters_of_all(tmp_path: Path) -> None:
    description = show(trained(tmp_path, "members: 2\nworkers: 1\n"))
    assert (description.kind, description.members) == ("ensemble", 2)
    assert description.parameters == 2 * sum(layer.parameters for layer in description.layers)


@pytest.mark.parametrize(
    ("loss", "levels", "text"),
    [
        ("{type: quantiles, levels: [0.05, 0.5, 0.9]}", (0.05, 0.5, 0.9), "quantiles, levels 0.05, 0.5, 0.9"),
        ("{type: quantile, q: 0.9}", (0.9,), "quantile, level 0.9"),
        ("mse", (), "mse"),
    ],
)
def test_a_loss_of_quantiles_has_its_levels(tmp_path: Path, loss: str, levels: tuple[float, ...], text: str) -> None:
    config = tmp_path / "c.yaml"
    config.write_text(f"data: {{path: {DATA}/linear.csv, target: y}}\nlayers: []\nepochs: 1\nloss: {loss}\n")
    description = show(train(config, output=tmp_path / "run").run)
    assert description.quantile_levels == levels
    assert dict(description.facts())["loss"] == text
    assert description.json()["quantile_levels"] == levels


@pytest.mark.parametrize(
    ("best_epochs", "text"), [((), ""), ((0, 0), ""), ((7, 0, 7), "best epoch 7"), ((3, 12), "best epochs 3 to 12")]
)
def test_the_best_epochs_of_members_are_a_range(best_epochs: tuple[int, ...], text: str) -> None:
    assert span_of_epochs(best_epochs) == text


@pytest.mark.slow
def test_a_stopped_ensemble_has_the_best_epoch_of_each_member(tmp_path: Path) -> None:
    run = trained(tmp_path, "members: 2\nworkers: 1\n")
    for folder, status, best in ((run, "stopped", 9), (run / "members" / "2", "stopped", 1)):
        manifest = read_manifest(folder).model_copy(update={"status": status, "best_epoch": best})
        (folder / MANIFEST).write_text(manifest.with_checksum().model_dump_json())
    description = show(run)
    assert description.best_epochs == (read_manifest(run / "members" / "1").best_epoch, 1)
    facts = dict(description.facts())
    assert "9" not in facts["epochs"]
    assert facts["rows"] == "344 training, 344 out-of-fold"


@pytest.mark.slow
def test_a_run_whose_process_is_gone_is_to_be_resumed(tmp_path: Path) -> None:
    run = trained(tmp_path)
    manifest = read_manifest(run).model_copy(update={"status": "running", "files": {}})
    (run / MANIFEST).write_text(manifest.with_checksum().model_dump_json())
    description = show(run)
    assert description.status == "killed"
    assert description.scores == ()
    assert description.next_steps == (f"nncli train --resume {run}",)


def test_a_damaged_run_and_another_folder_are_errors(tmp_path: Path) -> None:
    with pytest.raises(RunError):
        show(tmp_path)
    run = trained(tmp_path)
    with (run / "history.csv").open("a") as file:
        file.write("1,2\n")
    with pytest.raises(RunError, match="history"):
        show(run)
    (run / "history.csv").unlink()
    (run / "model.json").write_text("{}")
    with pytest.raises(RunError, match="model"):
        show(run)


def test_the_last_decision_about_cycles_is_described(tmp_path: Path) -> None:
    run = Run(trained(tmp_path))
    decisions = [
        {"cycles": 2, "epochs": 12, "loss": 0.5, "decrease": 0.1, "standard_error": 0.01, "continues": True},
        {"cycles": 3, "epochs": 28, "loss": 0.6, "decrease": -0.1, "standard_error": 0.01, "continues": False},
    ]
    manifest = run.load_manifest()
    run.save_metrics({**json.loads((run.path / METRICS).read_text()), "cycles": decisions})
    run.save_manifest(manifest)
    description = show(run.path)
    assert [cycle.epochs for cycle in description.cycles] == [12, 28]
    assert "to epoch 28" in dict(description.facts())["cycles"]
