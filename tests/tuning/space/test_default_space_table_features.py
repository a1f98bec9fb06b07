"""What the features of a table decide is found out with the encoder that trainings fit."""

from __future__ import annotations

from pathlib import Path

import pytest

from nncli.base.scratch import Scratch
from nncli.config.loading import load
from nncli.fitting.prepare.auto_values import resolve_optimizer, schedule_of
from nncli.fitting.prepare.load import load_table
from nncli.nn.losses import MSELoss
from nncli.targets.number import RegressionTarget
from nncli.tuning.space.default_space import TableFeatures
from nncli.tuning.space.space import key_of

HEADER = "number,color,count,y"


def features_of(folder: Path, data: str = "") -> TableFeatures:
    """The features of a table with two columns of numbers and one of categories."""
    rows = [f"{i / 7},{'red' if i % 2 else 'blue'},{i % 9},{i * 1.5}" for i in range(40)]
    (folder / "t.csv").write_text("\n".join([HEADER, *rows]))
    config = folder / "c.yaml"
    config.write_text(f"preset: tabular\ndata: {{path: t.csv, target: y{data}}}")
    loaded = load(config).config
    with Scratch() as scratch:
        return TableFeatures.of(loaded, load_table(loaded, loaded.data, scratch), RegressionTarget)


def test_columns_are_counted_by_their_kind(tmp_path: Path) -> None:
    features = features_of(tmp_path)
    assert (features.categorical, features.numeric) == (1, 2)
    assert features.width >= 3


@pytest.mark.parametrize(
    ("data", "key", "has_effect"),
    [
        ("", "encoding.categories.max_one_hot", True),
        ("", "numeric_embedding", True),
        (", drop: [color]", "encoding.categories.max_one_hot", False),
        (", drop: [color]", "encoding.numeric", True),
        (", features: [color]", "numeric_embedding", False),
        (", features: [color]", "learning_rate.peak", True),
    ],
)
def test_keys_of_columns_that_there_are_none_of_have_no_effect(
    tmp_path: Path, data: str, key: str, has_effect: bool
) -> None:
    assert features_of(tmp_path, data).has_effect(key_of(key)) is has_effect


def test_auto_is_what_a_training_makes_of_it(tmp_path: Path) -> None:
    features = features_of(tmp_path)
    config = load(tmp_path / "c.yaml").config
    resolved = features.resolved(config)
    assert resolved.optimizer == resolve_optimizer(config.optimizer, 30, features.width)
    assert resolved.schedule == config.schedule.with_auto_peak(0.12)
    assert schedule_of(resolved, MSELoss(), 30) == schedule_of(config, MSELoss(), 30)
    assert features.resolved(resolved) == resolved
