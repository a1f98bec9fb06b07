"""In what configurations differ, in words that could stand in a configuration."""

from __future__ import annotations

from pathlib import Path

from nncli.analysis.run_comparison import ResolvedConfig, Setting, config_diff
from nncli.config.loading import load_config

BASE = "data: {path: t.csv, target: y}\n"


def of(folder: Path, text: str, member: str | None = None) -> ResolvedConfig:
    configs = []
    for i, words in enumerate([text] if member is None else [text, member]):
        (folder / f"{i}.yaml").write_text(BASE + words)
        configs.append(load_config(folder / f"{i}.yaml"))
    return ResolvedConfig(*configs)


def test_equal_values_are_left_out(tmp_path: Path) -> None:
    same = of(tmp_path, "layers: [4]\noutput: here\n"), of(tmp_path, "layers: [4]\noutput: there\nworkers: 2\n")
    assert config_diff(same) == ()


def test_keys_have_dots_and_layers_their_short_forms(tmp_path: Path) -> None:
    result = config_diff(
        [
            of(tmp_path, "layers: [4]\nlearning_rate: 0.001\nseed: 1\nearly_stopping: {patience: 3}\n"),
            of(tmp_path, "layers: [16, layer_norm, {type: dropout, rate: 0.25}]\nlearning_rate: 0.5\nseed: 1\n"),
        ]
    )
    assert result == (
        Setting("layers", ("[4]", "[16, layer_norm, {type: dropout, rate: 0.25}]")),
        Setting("learning_rate.peak", ("0.001", "0.5")),
        Setting("early_stopping.patience", ("3", None)),
    )


def test_layers_of_the_same_types_are_compared_key_by_key(tmp_path: Path) -> None:
    result = config_diff(
        [
            of(tmp_path, "layers: [8, 16, {type: dropout, rate: 0.1}, {type: residual, layers: [16]}]\n"),
            of(
                tmp_path,
                "layers: [8, {type: dense, units: 16, activation: tanh}, {type: dropout, rate: 0.25}, "
                "{type: residual, layers: [{type: dense, units: 16, bias: false}]}]\n",
            ),
        ]
    )
    assert result == (
        Setting("layers.1.activation.type", (None, "tanh")),
        Setting("layers.2.rate", ("0.1", "0.25")),
        Setting("layers.3.layers.0.bias", ("true", "false")),
    )


def test_the_default_activation_is_not_listed_for_each_layer(tmp_path: Path) -> None:
    result = config_diff(
        [
            of(tmp_path, "layers: [8, {type: dense, units: 4, activation: tanh}]\nactivation: tanh\n"),
            of(tmp_path, "layers: [8, 4]\nactivation: relu\n"),
            None,
        ]
    )
    assert result == (Setting("activation.type", ("tanh", "relu", None)),)


def test_a_default_that_only_some_can_have_is_not_listed(tmp_path: Path) -> None:
    result = config_diff(
        [
            of(tmp_path, "layers: []\noptimizer: {type: adam, beta1: 0.8}\n"),
            of(tmp_path, "layers: []\noptimizer: sgd\n"),
        ]
    )
    assert [item.key for item in result] == ["optimizer.type", "optimizer.beta1"]


def test_an_unknown_configuration_has_no_values(tmp_path: Path) -> None:
    result = config_diff([of(tmp_path, "layers: []\nseed: 1\n"), None, of(tmp_path, "layers: []\nseed: 2\n")])
    assert result == (Setting("seed", ("1", None, "2")),)


def test_layers_within_layers_have_their_short_forms_too(tmp_path: Path) -> None:
    result = config_diff([of(tmp_path, "layers: [4]\n"), of(tmp_path, "layers: [{type: residual, layers: [4, 8]}]\n")])
    assert result == (Setting("layers", ("[4]", "[{type: residual, layers: [4, 8]}]")),)


def test_automatic_values_of_an_ensemble_are_those_of_its_first_member(tmp_path: Path) -> None:
    several = of(tmp_path, "layers: [4]\nmembers: 2\n", "layers: [4]\nloss: cross_entropy\n")
    result = config_diff([several, of(tmp_path, "layers: [4]\nloss: cross_entropy\n")])
    assert result == (Setting("members", ("2", "1")),)
    assert several.loss is not None
    assert several.loss.type == "cross_entropy"


def test_an_automatic_value_equals_the_same_value_spelled_out(tmp_path: Path) -> None:
    member = "layers: [4]\nloss: cross_entropy\nbatch_size: 16\ncalibration: none\n"
    automatic = of(tmp_path, "layers: [4]\nmembers: 2\nbatch_size: auto\ncalibration: auto\n", member)
    explicit = of(
        tmp_path,
        "layers: [4]\nmembers: 2\nbatch_size: 16\nloss: cross_entropy\ncalibration: temperature\nbagging: folds\n"
        "metric: val_loss\n",
        member,
    )
    assert config_diff([automatic, explicit]) == ()


def test_layers_of_an_ensemble_are_those_of_its_first_member(tmp_path: Path) -> None:
    several = of(tmp_path, "layers: [{type: dense, units: auto}]\nmembers: 2\n", "layers: [16]\n")
    assert config_diff([several, of(tmp_path, "layers: [16]\nmembers: 2\n", "layers: [16]\n")]) == ()
    assert config_diff([several, of(tmp_path, "layers: [8]\nmembers: 2\n", "layers: [8]\n")]) == (
        Setting("layers.0.units", ("16", "8")),
    )


def test_the_monitored_loss_is_named_as_it_is_resolved(tmp_path: Path) -> None:
    number = of(tmp_path, "layers: []\nloss: mse\nmetric: calibrated_log_loss\n")
    assert config_diff([number, of(tmp_path, "layers: []\nloss: mse\nmetric: auto\n")]) == ()
    classes = of(tmp_path, "layers: []\nloss: cross_entropy\nmetric: calibrated_log_loss\n")
    result = config_diff([classes, of(tmp_path, "layers: []\nloss: cross_entropy\nmetric: roc_auc\n")])
    assert result == (Setting("metric", ("val_calibrated_log_loss", "val_roc_auc")),)
