"""Paths of a configuration hold wherever it is used."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from nncli.config.loading import load_config, load_partial, with_source_line
from nncli.config.overrides import ignored_variables
from nncli.config.schema import ValidationFile
from nncli.errors import ConfigError, ConfigIssue, Location, UsageError
from nncli.nn.layers.dense import Dense
from nncli.optim.optimizers import Sgd


def test_tables_are_found_beside_the_configuration(tmp_path: Path) -> None:
    path = tmp_path / "configs" / "c.yaml"
    path.parent.mkdir()
    path.write_text("data: {path: ../data/t.csv, target: y}\nvalidation: {path: v.csv}")
    config = load_config(path)
    assert config.data.path == str(tmp_path / "data" / "t.csv")
    assert config.validation == ValidationFile(path=str(tmp_path / "configs" / "v.csv"))
    assert config.output == os.path.join("runs", "c")  # noqa: PTH118 - as it is written


def test_from_standard_input_they_are_found_in_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"data: {path: t.csv, target: y}")))
    config = load_config("-", ["epochs=3"])
    assert config.data.path == str(tmp_path / "t.csv")
    assert config.epochs == 3
    assert config.output == os.path.join("runs", "stdin")  # noqa: PTH118 - as it is written


def test_an_absolute_path_and_a_named_output_stay(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(f"data: {{path: {tmp_path}/x/t.csv, target: y}}\noutput: here")
    config = load_config(path)
    assert config.data.path == str(tmp_path / "x" / "t.csv")
    assert config.output == "here"


def test_an_override_may_name_the_table_too(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("data: {path: a.csv, target: y}")
    config = load_config(tmp_path / "c.yaml", ["data.path=b.csv"])
    assert config.data.path == str(tmp_path / "b.csv")


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege")
def test_a_linked_configuration_finds_what_stands_beside_the_real_one(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "c.yaml").write_text("data: {path: t.csv, target: y}")
    (tmp_path / "link.yaml").symlink_to(tmp_path / "real" / "c.yaml")
    assert load_config(tmp_path / "link.yaml").data.path == str(tmp_path / "real" / "t.csv")


def test_issues_are_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        load_config(tmp_path / "c.yaml")
    (tmp_path / "c.yaml").write_text("data: {path: t.csv, target: y}")
    with pytest.raises(UsageError):
        load_config(tmp_path / "c.yaml", ["epochs"])


def test_what_has_no_issue_can_be_used_without_what_has_one(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("data: {path: t.csv, target: y}\nlayers: [x]\nclass_weight: balanced\nbatch_size: -1\n")
    config, issues = load_partial(path, ["seed=3", "batch_size=0"])
    assert config is not None
    assert (config.layers, config.class_weight, config.seed) == ((), "balanced", 3)
    assert config.data.path == str(tmp_path / "t.csv")
    assert [issue.place.key for issue in issues] == ["layers.0", "batch_size"]
    path.write_text("data: {path: t.csv, target: y}\nlayers: []\n")
    assert load_partial(path) == (load_config(path), ())


@pytest.mark.parametrize("text", ["data: {target: y}\n", "layers: [\n", "data: {path: t.csv, target: y, drop: [y]}\n"])
def test_without_a_table_nothing_can_be_used(tmp_path: Path, text: str) -> None:
    (tmp_path / "c.yaml").write_text(text)
    config, issues = load_partial(tmp_path / "c.yaml")
    assert config is None
    assert issues


def test_an_issue_found_later_gets_the_line_of_its_key_if_it_has_one(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("data: {path: t.csv, target: y}\nlayers: [4]\n")
    late = ConfigIssue("too few", Location(key="layers.0"), "More.")
    assert (
        str(with_source_line(path, (), late))
        == f"{path}:2:10, layers.0: too few\n    layers: [4]\n             ^\n  More."
    )
    assert with_source_line(path, ["layers=[8]"], late).place.source == "--set layers=[8]"
    for other in (
        ConfigIssue("none", Location(key="seed")),
        ConfigIssue("of a table", Location(source="t.csv", key="x")),
    ):
        assert with_source_line(path, (), other) == other
    assert with_source_line("-", (), late) == late


# --- the environment ------------------------------------------------------------------------------------------------

LEAST = "data: {path: t.csv, target: y}\nlayers: [4]\n"


@pytest.fixture
def least(tmp_path: Path) -> Path:
    path = tmp_path / "c.yaml"
    path.write_text(LEAST + "epochs: 5\noptimizer: sgd\n")
    return path


def test_the_environment_stands_above_the_file_and_beneath_the_assignments(least: Path) -> None:
    environment = {"NNCLI_EPOCHS": "7", "NNCLI_BATCH_SIZE": "64", "NNCLI_SEED": "1"}
    config = load_config(least, ["seed=2"], environment)
    assert (config.epochs, config.batch_size, config.seed) == (7, 64, 2)
    assert load_config(least).epochs == 5


def test_two_underscores_lead_into_a_section_and_values_are_yaml(least: Path) -> None:
    environment = {
        "NNCLI_OPTIMIZER__MOMENTUM": "0.9",
        "NNCLI_DATA__DROP": "[a, b]",
        "NNCLI_LAYERS": "[{type: dense, units: 3}]",
        "NNCLI_LAYERS__0__UNITS": "8",
    }
    config = load_config(least, environment=environment)
    assert config.optimizer == Sgd(momentum=0.9)
    assert config.data.drop == ("a", "b")
    assert config.layers == (Dense(units=8),)


def test_the_environment_may_choose_the_preset(least: Path) -> None:
    least.write_text("data: {path: t.csv, target: y}\n")
    assert load_config(least, environment={"NNCLI_QUALITY": "fast"}).members == 1


def test_an_empty_variable_is_as_good_as_none_and_what_is_no_key_by_name_is_left_alone(least: Path) -> None:
    environment = {"NNCLI_EPOCHS": " ", "NNCLI_DEBUG": "1", "NNCLIENT": "x", "_NNCLI_COMPLETE": "x", "PATH": "/bin"}
    assert load_config(least, environment=environment) == load_config(least)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("NNCLI_EPOCH", "did you mean 'NNCLI_EPOCHS'?"),
        ("NNCLI_BATCHSIZE", "did you mean 'NNCLI_BATCH_SIZE'?"),
        ("NNCLI_OPTIMISER__MOMENTUM", "did you mean 'NNCLI_OPTIMIZER__MOMENTUM'?"),
        ("NNCLI_PORT_80", "'NNCLI_PORT_80' is not a key"),
        ("NNCLI_PORT_80_HTTP", "'NNCLI_PORT_80_HTTP' is not a key"),
        ("NNCLI_SERVICE", "'NNCLI_SERVICE' is not a key"),
        ("NNCLI_DATA__", "is not a key"),
        ("NNCLI_", "is not a key"),
    ],
)
def test_a_variable_that_is_no_key_is_an_error(least: Path, name: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(least, environment={name: "7"})
    (issue,) = caught.value.issues
    assert words in issue.message
    assert issue.place.source == f"{name}=7"


KUBERNETES = {
    "NNCLI_SERVICE_HOST": "10.0.0.1",
    "NNCLI_SERVICE_PORT": "80",
    "NNCLI_SERVICE_PORT_HTTP": "80",
    "NNCLI_PORT": "tcp://10.0.0.1:80",
    "NNCLI_PORT_80_TCP": "tcp://10.0.0.1:80",
    "NNCLI_PORT_80_TCP_ADDR": "10.0.0.1",
    "NNCLI_REPORTS_SERVICE_HOST": "10.0.0.2",
}


def test_what_kubernetes_sets_for_a_service_of_this_name_is_passed_over_and_told(least: Path) -> None:
    assert load_config(least, environment=KUBERNETES) == load_config(least)
    assert (ignored_variables(KUBERNETES) or "").startswith("ignored 'NNCLI_PORT', 'NNCLI_PORT_80_TCP'")
    assert ignored_variables({"NNCLI_EPOCHS": "3"}) is None


def test_a_key_that_is_unknown_within_a_section_is_told_of_its_variable(least: Path) -> None:
    with pytest.raises(ConfigError, match=r"NNCLI_DATA__TARGE=7, data\.targe: unknown key 'targe'; did you mean"):
        load_config(least, environment={"NNCLI_DATA__TARGE": "7"})


# --- all issues at once -------------------------------------------------------------------------------------------


def told(path: Path, assignments: list[str], environment: dict[str, str]) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_config(path, assignments, environment)
    return [str(issue.place).replace(str(path), "c.yaml") for issue in caught.value.issues]


def test_issues_of_file_environment_and_assignments_come_at_once_in_order(least: Path) -> None:
    least.write_text("zz: 1\n" + LEAST + "quality: fast\nloss: bce\n")
    environment = {"NNCLI_EPOCH": "3", "NNCLI_L2": "[1", "NNCLI_L1": "-1"}
    sets = ["layers.7.units=3", "seed=-1", "epochs=- 1", "batch_size=some"]
    assert told(least, sets, environment) == [
        "c.yaml:1:1, zz",
        "c.yaml:4:1, quality",
        "c.yaml:5:7, loss",
        "NNCLI_EPOCH=3",
        "NNCLI_L1=-1, l1",
        "NNCLI_L2=[1, l2",
        "--set layers.7.units=3, layers.7.units",
        "--set seed=-1, seed",
        "--set epochs=- 1, epochs",
        "--set batch_size=some, batch_size",
    ]


def test_a_file_that_cannot_be_read_keeps_no_other_issue_back(least: Path) -> None:
    least.write_text("data: [")
    assert told(least, ["epochs=["], {"NNCLI_EPOCH": "3"}) == ["c.yaml:1:8", "NNCLI_EPOCH=3", "--set epochs=[, epochs"]
    least.unlink()
    assert told(least, ["epochs=["], {}) == ["c.yaml", "--set epochs=[, epochs"]


def test_what_merely_follows_from_a_wrong_assignment_is_not_told(least: Path) -> None:
    least.write_text("layers: [4]\n")
    assert told(least, ["data.path=[", "data.target=y"], {}) == ["--set data.path=[, data.path"]
    assert told(least, ["data.path=["], {}) == ["--set data.path=[, data.path"]
