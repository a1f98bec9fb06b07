"""A search is loaded from a configuration, from a file that names one, and from a drafted one."""

from __future__ import annotations

from pathlib import Path

import pytest

from nncli.base.errors import ConfigError, UsageError
from nncli.config.loading import load, load_config, load_partial
from nncli.config.schema.tune import Choices, Range, TuneSection
from nncli.tuning.space.build_space import build_space
from nncli.tuning.space.load_search import load_search

CONFIG = "data: {path: t.csv, target: y}\nlayers: [16]\ntune:\n  trials: 7\n  search:\n    l2: {from: 0, to: 1}\n"
SEARCH = "config: configs/c.yaml\ntune:\n  lag: 2\n  search:\n    l1: {from: 0, to: 1}\n    x: {from: 0, to: 1}\n"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "configs" / "c.yaml"
    path.parent.mkdir()
    path.write_text(CONFIG)
    return path


@pytest.fixture
def search(config: Path, tmp_path: Path) -> Path:
    path = tmp_path / "search.yaml"
    path.write_text(SEARCH)
    return path


def test_options_override_the_section_key_by_key(config: Path) -> None:
    loaded = load_search(
        config,
        ["epochs=5"],
        {"NNCLI_L1": "0.5"},
        searches=["l1=0..1:0.5", "l2=1,2"],
        settings={"lag": 2, "time_limit": None},
    )
    assert loaded.tune is not None
    assert (loaded.tune.trials, loaded.tune.lag, loaded.tune.time_limit) == (7, 2, None)
    assert isinstance(loaded.tune.search["l1"], Range)
    assert loaded.tune.search["l2"] == Choices(choices=(1, 2))
    assert (loaded.config.epochs, loaded.config.l1) == (5, 0.5)


def test_a_configuration_needs_no_section(config: Path) -> None:
    config.write_text("data: {path: t.csv, target: y}")
    assert load_search(config).tune is None
    assert load_search(config).preset == "tabular"
    loaded = load_search(config, ["preset=textbook"], settings={"trials": 3})
    assert loaded.tune == TuneSection(trials=3)
    assert loaded.preset == "textbook"


def test_a_file_of_its_own_names_the_configuration_whose_paths_stay_its_own(search: Path, tmp_path: Path) -> None:
    loaded = load_search(search, ["epochs=5"])
    assert loaded.tune is not None
    assert [*loaded.tune.search] == ["l1", "x"]
    assert (loaded.tune.lag, loaded.tune.trials) == (2, TuneSection().trials)
    assert loaded.config.data.path == str(tmp_path / "configs" / "t.csv")
    assert loaded.config.output is not None
    assert Path(loaded.config.output).name == "search"
    assert loaded.config.epochs == 5


def test_mistakes_of_both_files_are_on_the_lines_of_their_own(search: Path, config: Path) -> None:
    loaded = load_search(search)
    assert loaded.tune is not None
    with pytest.raises(ConfigError) as caught:
        build_space(loaded, loaded.tune)
    (issue,) = caught.value.issues
    assert (issue.location.source, issue.location.line) == (str(search), 6)
    assert issue.excerpt is not None
    assert issue.excerpt.startswith("x: {")
    search.write_text(SEARCH.replace("to: 1", "to: -1", 1))
    config.write_text(CONFIG.replace("16", "-16"))
    with pytest.raises(ConfigError) as caught:
        load_search(search)
    assert [(issue.location.source, issue.location.line) for issue in caught.value.issues] == [
        (str(config), 2),
        (str(search), 5),
    ]
    assert [(issue.excerpt or "")[:2] for issue in caught.value.issues] == ["la", "l1"]


@pytest.mark.parametrize(
    ("text", "line", "key"),
    [
        ("config: c.yaml", 1, "config"),
        ("config: search.yaml", 1, "config"),
        ("config: configs", 1, "config"),
        ("config: 5", 1, "config"),
        ("config: configs/c.yaml\nepochs: 5", 2, "epochs"),
        ("config: configs/c.yaml\ntune: {trials: 0}", 2, "tune.trials"),
    ],
)
def test_a_mistake_of_a_file_of_its_own_is_on_its_line(search: Path, text: str, line: int, key: str) -> None:
    search.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_search(search)
    (issue,) = caught.value.issues
    assert (issue.location.source, issue.location.line, issue.location.key) == (str(search), line, key)


def test_mistakes_of_options_are_reported_with_those_of_the_file(config: Path) -> None:
    config.write_text(CONFIG.replace("16", "-16"))
    with pytest.raises(ConfigError) as caught:
        load_search(config, ["epochs=0"], searches=["l2=1..0", "l1=1..a"], settings={"trials": 0, "sampler": "best"})
    assert [issue.location.source for issue in caught.value.issues] == [
        str(config),
        "--set epochs=0",
        "--search l2=1..0",
        "--search l1=1..a",
        "--trials 0",
        "--sampler best",
    ]


def test_mistakes_of_options_are_reported_with_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_search(tmp_path / "c.yaml", searches=["l1=1..a"])
    assert len(caught.value.issues) == 2


def test_a_wrong_key_of_an_option_is_found_with_the_space(config: Path) -> None:
    loaded = load_search(config, searches=["learning_rat=0.1..1", "layers.0.units=0..5"])
    assert loaded.tune is not None
    with pytest.raises(ConfigError) as caught:
        build_space(loaded, loaded.tune)
    assert [issue.location.source for issue in caught.value.issues] == [
        "--search learning_rat=0.1..1",
        "--search layers.0.units=0..5",
    ]


def test_a_configuration_that_is_no_file_takes_options(config: Path) -> None:
    drafted = load_config(config)
    loaded = load_search(drafted, searches=["layers.0.units=8..32"], settings={"trials": 3})
    assert loaded.config is drafted
    assert loaded.tune is not None
    space = build_space(loaded, loaded.tune)
    assert space.config({"layers.0.units": 9}).layers[0].model_dump()["units"] == 9
    assert space.config({"layers.0.units": 9}).data == drafted.data
    assert load_search(load(config), settings={"lag": 1}).tune == load_search(config, settings={"lag": 1}).tune
    with pytest.raises(ConfigError):
        load_search(drafted, settings={"trials": 0})
    with pytest.raises(ValueError, match="path"):
        load_search(drafted, ["epochs=5"])


def test_a_text_without_a_key_is_a_usage_error(config: Path) -> None:
    with pytest.raises(UsageError):
        load_search(config, searches=["l2"])


def test_a_file_of_its_own_is_no_configuration(search: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(search)
    assert (caught.value.issues[0].location.line, caught.value.issues[0].location.key) == (1, "config")
    config, issues = load_partial(search)
    assert config is None
    assert issues == caught.value.issues
