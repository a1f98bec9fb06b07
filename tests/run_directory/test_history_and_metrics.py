"""What a run wrote down is read back as it was, or refused."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import pytest

from nncli.base.errors import RunError
from nncli.base.findings import FindingCode, warning
from nncli.run_directory.history_and_metrics import health_csv, read_health, read_history, read_metrics
from nncli.run_directory.manifest import HEALTH, HISTORY, METRICS
from nncli.run_directory.run import Run
from tests.assertions import raises


def test_every_epoch_is_read_with_the_name_of_its_metric(penguins: Path) -> None:
    result = read_history(penguins, Run(penguins).load_manifest())
    with (penguins / HISTORY).open() as file:
        lines = list(csv.DictReader(file))
    assert result.metric == "accuracy"
    assert [report.epoch for report in result.reports] == list(range(1, 9))
    assert [report.loss for report in result.reports] == [float(line["loss"]) for line in lines]
    assert [report.metric for report in result.reports] == [float(line["val_accuracy"]) for line in lines]
    assert result.best is not None
    assert result.best.epoch == Run(penguins).load_manifest().best_epoch


def test_health_is_read_as_it_was_written(penguins: Path) -> None:
    manifest = Run(penguins).load_manifest()
    health = read_health(penguins, manifest)
    assert [moment.epoch for moment in health] == [0, 1, 4]
    assert [layer.name for layer in health[0].layers] == ["input", "layers.0", "output"]
    assert health_csv(health) == (penguins / HEALTH).read_text()
    assert read_health(penguins, manifest.model_copy(update={"files": {}})) == ()  # of an older version


def test_scores_and_baselines_are_read(penguins: Path, pair: Path) -> None:
    result = read_metrics(penguins, Run(penguins).load_manifest())
    recorded = json.loads((penguins / METRICS).read_text())["validation"]
    assert result.validation is not None
    assert result.validation.rows == recorded["rows"]
    assert [score.name for score in result.validation.scores] == [
        name for name, value in recorded["metrics"].items() if not isinstance(value, list)
    ]
    for score in result.validation.scores:
        assert score.target is None
        assert (score.value, score.baseline) == (recorded["metrics"][score.name], recorded["baseline"][score.name])
    assert [finding.as_json for finding in result.findings] == json.loads((penguins / METRICS).read_text())["findings"]
    several = read_metrics(pair, Run(pair).load_manifest())
    assert several.training is not None
    assert {score.target for score in several.training.scores} == {"x2", "y"}


@pytest.mark.parametrize("text", ["", "epoch\n1\n", "a,b,c,d,e\n1,2\n", "{}", "[]", '{"validation": 3}', "\xff"])
def test_a_damaged_history_or_metrics_file_is_refused(penguins: Path, tmp_path: Path, text: str) -> None:
    run = tmp_path / "run"
    shutil.copytree(penguins, run)
    manifest = Run(run).load_manifest()
    for name, read in ((HISTORY, read_history), (HEALTH, read_health), (METRICS, read_metrics)):
        (run / name).write_text(text, "latin-1")
        with raises(RunError, file=name):
            read(run, manifest)
        Run(run).save_manifest(manifest)  # which takes the damage for right
        if text != "{}" or name != METRICS:
            with raises(RunError, file=name):
                read(run, Run(run).load_manifest())


def test_recorded_warnings_are_read_without_those_of_a_newer_version(penguins: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(penguins, run)
    finding = warning(FindingCode.CLASS_IMBALANCE, "rare", column="y", hint="Look.")
    document = json.loads((run / METRICS).read_text())
    document["findings"] = [{**finding.as_json, "code": "of-the-future"}, finding.as_json]
    (run / METRICS).write_text(json.dumps(document))
    Run(run).save_manifest(Run(run).load_manifest())
    assert read_metrics(run, Run(run).load_manifest()).findings == (finding,)
    del document["findings"]  # as an older nncli writes it
    (run / METRICS).write_text(json.dumps(document))
    Run(run).save_manifest(Run(run).load_manifest())
    assert read_metrics(run, Run(run).load_manifest()).findings == ()
