"""A search is checked before anything is written, and its space is complete in its directory."""

from __future__ import annotations

from pathlib import Path

import pytest

from nncli import tune
from nncli.base.errors import ConfigError
from nncli.config.loading import load
from tests.tuning.configs import search_config


def files(path: Path) -> list[bytes]:
    return [(path / name).read_bytes() for name in ("trials.csv", "best.yaml")]


@pytest.mark.slow
def test_the_space_that_ships_is_written_into_the_directory_and_searched_on(tmp_path: Path) -> None:
    config = search_config(tmp_path, "search: {}", "trials: 2")
    whole = tune(config, output=tmp_path / "whole")
    assert whole
    assert tune(config, output=tmp_path / "parts", set=["tune.trials=1"])
    section = load(tmp_path / "parts" / "config.yaml").tune
    assert section is not None
    assert [*section.search] == ["learning_rate", "layers", "optimizer", "batch_size", "l2"]
    assert tune(resume=tmp_path / "parts", trials=2)
    assert files(tmp_path / "parts") == files(tmp_path / "whole")


@pytest.mark.slow
def test_a_file_of_its_own_leads_to_the_same_search(tmp_path: Path) -> None:
    config = search_config(tmp_path, "trials: 1")
    text = config.read_text()
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "plain.yaml").write_text(text[: text.index("tune:")])
    (tmp_path / "search.yaml").write_text(f"config: configs/plain.yaml\n{text[text.index('tune:') :]}")
    assert tune(config, output=tmp_path / "one")
    assert tune(tmp_path / "search.yaml", output=tmp_path / "two")
    assert files(tmp_path / "one") == files(tmp_path / "two")


@pytest.mark.parametrize(
    ("search", "key"),
    [
        ("search: {l3: {from: 0, to: 1}}", "l3"),
        ("search: {data.features: {choices: [[sex], [sexx]]}}", "data.features"),
    ],
)
def test_a_mistake_leaves_no_directory(tmp_path: Path, search: str, key: str) -> None:
    config = search_config(tmp_path, search)
    with pytest.raises(ConfigError) as caught:
        tune(config, output=tmp_path / "t")
    assert [(issue.location.key, issue.location.source) for issue in caught.value.issues] == [(key, str(config))]
    assert [path.name for path in tmp_path.iterdir()] == ["c.yaml"]


@pytest.mark.parametrize(
    ("settings", "assignments", "key"),
    [
        (("metric: rmse",), [], "tune.metric"),
        ((), ["tune.metric=rmse"], "tune.metric"),
        ((), ["validation=0.0"], "validation"),
    ],
)
def test_a_setting_that_does_not_fit_the_table_has_its_place(
    tmp_path: Path, settings: tuple[str, ...], assignments: list[str], key: str
) -> None:
    config = search_config(tmp_path, *settings)
    with pytest.raises(ConfigError) as caught:
        tune(config, output=tmp_path / "t", set=assignments)
    (issue,) = caught.value.issues
    expected = str(config) if settings else f"--set {assignments[0]}"
    assert (issue.location.source, issue.location.key) == (expected, key)
    assert bool(issue.excerpt) == bool(settings)
