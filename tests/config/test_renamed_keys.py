"""Files of runs with the names of older versions are read, and their digests are those that were computed then."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from nncli.api.reproduce import reproduce
from nncli.api.train import train
from nncli.base.errors import ConfigError
from nncli.config.loading import load_config
from nncli.config.renamed_keys import (
    present_key,
    with_earlier_names,
    with_present_goal,
    with_present_names,
)
from nncli.config.schema import Config
from nncli.config.yaml.parser import parse
from nncli.fitting.prepare.execution import Execution
from nncli.fitting.train import provenance
from nncli.fitting.train.provenance import fingerprints, is_config_recorded
from nncli.run_directory.config import read_config
from nncli.run_directory.history_and_metrics import read_history
from nncli.run_directory.manifest import CONFIG
from nncli.run_directory.run import Run
from nncli.targets.decision import Threshold
from nncli.targets.threshold_goals import MaxPositiveRate
from nncli.tuning.space.default_space import SPACES
from tests.golden import test_golden

GOLDEN = Path(test_golden.__file__).parent / "format-1-renamed-keys"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A run with old names whose table was moved."""
    shutil.copytree(GOLDEN / "run", tmp_path / "run")
    text = (tmp_path / "run" / CONFIG).read_text()
    (tmp_path / "run" / CONFIG).write_text(text.replace("/tmp/golden/table.csv", str(GOLDEN / "table.csv")))

    def where_it_was(config: Config, execution: Execution) -> tuple[str, str]:
        data = config.data.model_copy(update={"path": "/tmp/golden/table.csv"})
        return fingerprints(config.model_copy(update={"data": data}), execution)

    monkeypatch.setattr(provenance, "fingerprints", where_it_was)
    return Run.open(tmp_path / "run")


@pytest.mark.parametrize("words", ['["?"]', "[]", '["", "?"]'])
def test_missing_values_of_an_older_run_replace_the_defaults(words: str, run: Run) -> None:
    path = run.path / CONFIG
    path.write_text(path.read_text().replace('missing_values: ["", NA]', f"missing_values: {words}"))
    data = read_config(run.path).data
    assert data.missing_values == tuple(json.loads(words))
    config, execution = read_config(run.path), Execution("numpy", 1, 1)
    as_before = config.model_copy(update={"data": data.model_copy(update={"default_missing_values": True})})
    assert fingerprints(config, execution) == fingerprints(as_before, execution)


def test_the_configuration_of_an_older_run_is_the_one_that_its_digest_is_of() -> None:
    config, manifest = read_config(GOLDEN / "run"), Run.open(GOLDEN / "run").load_manifest()
    assert config.schedule.peak == 0.02
    assert config.metric == "calibrated_log_loss"
    assert is_config_recorded(config, manifest)
    assert not is_config_recorded(config.model_copy(update={"seed": 4}), manifest)


@pytest.mark.slow
def test_an_older_run_is_resumed(run: Run) -> None:
    result = train(resume=run.path, set=["epochs=7"])
    assert result.run == run.path
    history = read_history(run.path, run.load_manifest())
    assert len(history.reports) == 7
    assert history.metric == "calibrated_log_loss"


def test_the_configuration_of_an_older_run_is_trained_again(run: Run, tmp_path: Path) -> None:
    result = train(run.path / CONFIG, output=tmp_path / "again", set=["epochs=1"])
    assert read_config(result.run).schedule.peak == 0.02


def test_the_configuration_of_an_older_search_is_read(tmp_path: Path) -> None:
    for name in ("tune.json", "best.yaml"):
        (tmp_path / name).write_text("data: {path: t.csv, target: y}\nlearning_rate: {type: cosine, initial: 0.1}")
    assert load_config(tmp_path / "best.yaml").schedule.peak == 0.1


def test_an_older_run_is_reproduced() -> None:
    result = reproduce(GOLDEN / "run", data=GOLDEN / "table.csv")
    assert result is not None
    assert [check.differs for check in result.checks if check.kind == "configuration"] == [False]


def test_the_goal_of_an_older_decision_is_read() -> None:
    model = Run.open(GOLDEN / "run").load_model()
    assert isinstance(model.spec.decision, Threshold)
    assert model.spec.decision.goal == MaxPositiveRate(value=0.3)


def test_the_configuration_of_a_person_is_refused_with_the_new_keys(tmp_path: Path) -> None:
    (tmp_path / CONFIG).write_bytes((GOLDEN / "run" / CONFIG).read_bytes())
    with pytest.raises(ConfigError) as caught:
        load_config(tmp_path / CONFIG)
    assert [issue.location.key for issue in caught.value.issues] == [
        "optimizer.param_groups.bias.lr_multiplier",
        "learning_rate.initial",
    ]
    assert all("did you mean" in issue.message for issue in caught.value.issues)


SEARCH = """
learning_rate: {type: cosine, initial: 0.1}
optimizer: {type: sgd, param_groups: {bias: {lr_multiplier: 2}}}
class_weight: {initial: 1.0, lr_multiplier: 2.0}
metric: calibrated_loss
tune:
  search:
    learning_rate.initial: {from: 0.1, to: 1}
    optimizer: {choices: [adam, {type: sgd, param_groups: {bias: {lr_multiplier: {from: 1, to: 2}}}}]}
    optimizer.param_groups.scale.lr_multiplier: {from: 1, to: 2}
"""


def test_the_names_of_a_search_are_translated_and_back() -> None:
    document = parse(SEARCH, "config.yaml")
    present = with_present_names(document).value
    written = json.dumps(present)
    assert json.loads(written)["class_weight"] == {"initial": 1.0, "lr_multiplier": 2.0}
    assert written.count('"initial"') == 1
    assert written.count('"lr_multiplier"') == 1
    assert with_earlier_names(present) == document.value


def test_a_schedule_that_always_had_a_peak_keeps_it() -> None:
    values: dict[str, object] = {"learning_rate": {"type": "coslog", "peak": 0.1}}
    values["tune"] = {"search": {"learning_rate.peak": {"from": 0.1, "to": 1}}}
    assert with_earlier_names(values) == values


def test_names_of_today_are_left_alone() -> None:
    for file in SPACES.glob("*.yaml"):
        for part in parse(file.read_text(), file.name).value.values():
            assert isinstance(part, dict)
            assert [present_key(key) for key in part] == list(part)
    text = b'{"decision": {"goal": {"type": "recall", "value": 0.5}}, "labels": ["rate"]}'
    assert with_present_goal(text) == text
