"""A configuration is loaded with absolute paths, and all its issues are raised together."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from nncli.base.errors import ConfigError, ConfigIssue, Location, UsageError
from nncli.config.loading import load_config, load_partial, with_source_line
from nncli.config.overrides import ignored_variables
from nncli.config.schema import ValidationFile
from nncli.nn.layers.dense import Dense
from nncli.nn.optim.optimizers import Sgd


def test_paths_of_tables_are_relative_to_the_configuration(tmp_path: Path) -> None:
    path = tmp_path / "configs" / "c.yaml"
    path.parent.mkdir()
    path.write_text("data: {path: ../data/t.csv, target: y}\nvalidation: {path: v.csv}")
    config = load_config(path)
    assert config.data.path == str(tmp_path / "data" / "t.csv")
    assert config.validation == ValidationFile(path=str(tmp_path / "configs" / "v.csv"))
    assert config.output == os.path.join("runs", "c")  # noqa: PTH118 - as it is written


def test_paths_from_standard_input_are_relative_to_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"data: {path: t.csv, target: y}")))
    config = load_config("-", ["epochs=3"])
    assert config.data.path == str(tmp_path / "t.csv")
    assert config.epochs == 3
    assert config.output == os.path.join("runs", "stdin")  # noqa: PTH118 - as it is written


def test_an_absolute_path_and_a_configured_output_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(f"data: {{path: {tmp_path}/x/t.csv, target: y}}\noutput: here")
    config = load_config(path)
    assert config.data.path == str(tmp_path / "x" / "t.csv")
    assert config.output == "here"


def test_the_path_of_the_table_may_be_overridden(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("data: {path: a.csv, target: y}")
    config = load_config(tmp_path / "c.yaml", ["data.path=b.csv"])
    assert config.data.path == str(tmp_path / "b.csv")


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege")
def test_paths_in_a_linked_configuration_are_relative_to_the_real_file(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "c.yaml").write_text("data: {path: t.csv, target: y}")
    (tmp_path / "link.yaml").symlink_to(tmp_path / "real" / "c.yaml")
    assert load_config(tmp_path / "link.yaml").data.path == str(tmp_path / "real" / "t.csv")


def test_a_missing_file_and_a_malformed_assignment_are_errors(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        load_config(tmp_path / "c.yaml")
    (tmp_path / "c.yaml").write_text("data: {path: t.csv, target: y}")
    with pytest.raises(UsageError):
        load_config(tmp_path / "c.yaml", ["epochs"])


def test_a_partial_configuration_leaves_out_the_keys_with_issues(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("data: {path: t.csv, target: y}\nlayers: [x]\nclass_weight: balanced\nbatch_size: -1\n")
    config, issues = load_partial(path, ["seed=3", "batch_size=0"])
    assert config is not None
    assert (config.layers, config.class_weight, config.seed) == ((), "balanced", 3)
    assert config.data.path == str(tmp_path / "t.csv")
    assert [issue.location.key for issue in issues] == ["layers.0", "batch_size"]
    path.write_text("data: {path: t.csv, target: y}\nlayers: []\n")
    assert load_partial(path) == (load_config(path), ())


@pytest.mark.parametrize("text", ["data: {target: y}\n", "layers: [\n", "data: {path: t.csv, target: y, drop: [y]}\n"])
def test_there_is_no_partial_configuration_without_a_table(tmp_path: Path, text: str) -> None:
    (tmp_path / "c.yaml").write_text(text)
    config, issues = load_partial(tmp_path / "c.yaml")
    assert config is None
    assert issues


def test_an_issue_found_later_gets_the_line_of_its_key(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("data: {path: t.csv, target: y}\nlayers: [4]\n")
    late = ConfigIssue("too few", Location(key="layers.0"), "More.")
    assert (
        str(with_source_line(path, (), late))
        == f"{path}:2:10, layers.0: too few\n    layers: [4]\n             ^\n  More."
    )
    assert with_source_line(path, ["layers=[8]"], late).location.source == "--set layers=[8]"
    for other in (
        ConfigIssue("none", Location(key="seed")),
        ConfigIssue("of a table", Location(source="t.csv", key="x")),
    ):
        assert with_source_line(path, (), other) == other
    assert with_source_line("-", (), late) == late


REQUIRED = "data: {path: t.csv, target: y}\nlayers: [4]\n"


@pytest.fixture
def config_file(tmp_path: Path) -> Path:
    path = tmp_path / "c.yaml"
    path.write_text(REQUIRED + "epochs: 5\noptimizer: sgd\n")
    return path


def test_the_environment_overrides_the_file_and_assignments_override_both(config_file: Path) -> None:
    environment = {"NNCLI_EPOCHS": "7", "NNCLI_BATCH_SIZE": "64", "NNCLI_SEED": "1"}
    config = load_config(config_file, ["seed=2"], environment)
    assert (config.epochs, config.batch_size, config.seed) == (7, 64, 2)
    assert load_config(config_file).epochs == 5


def test_two_underscores_separate_keys_and_values_are_yaml(config_file: Path) -> None:
    environment = {
        "NNCLI_OPTIMIZER__MOMENTUM": "0.9",
        "NNCLI_DATA__DROP": "[a, b]",
        "NNCLI_LAYERS": "[{type: dense, units: 3}]",
        "NNCLI_LAYERS__0__UNITS": "8",
    }
    config = load_config(config_file, environment=environment)
    assert config.optimizer == Sgd(momentum=0.9)
    assert config.data.drop == ("a", "b")
    assert config.layers == (Dense(units=8),)


def test_the_environment_may_select_the_preset(config_file: Path) -> None:
    config_file.write_text("data: {path: t.csv, target: y}\n")
    assert load_config(config_file, environment={"NNCLI_QUALITY": "fast"}).members == 4


def test_empty_variables_and_those_without_the_prefix_are_ignored(config_file: Path) -> None:
    environment = {"NNCLI_EPOCHS": " ", "NNCLI_DEBUG": "1", "NNCLIENT": "x", "_NNCLI_COMPLETE": "x", "PATH": "/bin"}
    assert load_config(config_file, environment=environment) == load_config(config_file)


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
        ("NNCLI_CODE", "'NNCLI_CODE' is not a key"),
        ("NNCLI_CODE__0", "'NNCLI_CODE__0' is not a key"),
        ("NNCLI_", "is not a key"),
    ],
)
def test_a_variable_that_is_not_a_key_is_an_error(config_file: Path, name: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(config_file, environment={name: "7"})
    (issue,) = caught.value.issues
    assert words in issue.message
    assert issue.location.source == f"{name}=7"


@pytest.mark.parametrize("record", ["manifest.json", "tune.json"])
def test_a_configuration_in_a_run_executes_no_code(tmp_path: Path, record: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(f"{REQUIRED}code: [evil.py]\n")
    (tmp_path / "evil.py").write_text(f"open({str(tmp_path / 'executed')!r}, 'w')")
    (tmp_path / record).write_text("{}")

    with pytest.raises(ConfigError, match="never executes code") as caught:
        load_config(path)

    assert caught.value.issues[0].location.key == "code"
    assert not (tmp_path / "executed").exists()


KUBERNETES = {
    "NNCLI_SERVICE_HOST": "10.0.0.1",
    "NNCLI_SERVICE_PORT": "80",
    "NNCLI_SERVICE_PORT_HTTP": "80",
    "NNCLI_PORT": "tcp://10.0.0.1:80",
    "NNCLI_PORT_80_TCP": "tcp://10.0.0.1:80",
    "NNCLI_PORT_80_TCP_ADDR": "10.0.0.1",
    "NNCLI_REPORTS_SERVICE_HOST": "10.0.0.2",
}


def test_variables_of_kubernetes_are_ignored_with_a_note(config_file: Path) -> None:
    assert load_config(config_file, environment=KUBERNETES) == load_config(config_file)
    assert (ignored_variables(KUBERNETES) or "").startswith("ignored 'NNCLI_PORT', 'NNCLI_PORT_80_TCP'")
    assert ignored_variables({"NNCLI_EPOCHS": "3"}) is None


def test_an_unknown_key_inside_a_section_is_located_at_its_variable(config_file: Path) -> None:
    with pytest.raises(ConfigError, match=r"NNCLI_DATA__TARGE=7, data\.targe: unknown key 'targe'; did you mean"):
        load_config(config_file, environment={"NNCLI_DATA__TARGE": "7"})


def locations(path: Path, assignments: list[str], environment: dict[str, str]) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_config(path, assignments, environment)
    return [str(issue.location).replace(str(path), "c.yaml") for issue in caught.value.issues]


def test_issues_of_file_environment_and_assignments_are_raised_together_in_order(config_file: Path) -> None:
    config_file.write_text("zz: 1\n" + REQUIRED + "quality: fast\nloss: bce\n")
    environment = {"NNCLI_EPOCH": "3", "NNCLI_L2": "[1", "NNCLI_L1": "-1"}
    sets = ["layers.7.units=3", "seed=-1", "epochs=- 1", "batch_size=some"]
    assert locations(config_file, sets, environment) == [
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


def test_issues_of_assignments_are_raised_with_those_of_an_unreadable_file(config_file: Path) -> None:
    config_file.write_text("data: [")
    assert locations(config_file, ["epochs=["], {"NNCLI_EPOCH": "3"}) == [
        "c.yaml:1:8",
        "NNCLI_EPOCH=3",
        "--set epochs=[, epochs",
    ]
    config_file.unlink()
    assert locations(config_file, ["epochs=["], {}) == ["c.yaml", "--set epochs=[, epochs"]


def test_issues_that_follow_from_an_invalid_assignment_are_left_out(config_file: Path) -> None:
    config_file.write_text("layers: [4]\n")
    assert locations(config_file, ["data.path=[", "data.target=y"], {}) == ["--set data.path=[, data.path"]
    assert locations(config_file, ["data.path=["], {}) == ["--set data.path=[, data.path"]
