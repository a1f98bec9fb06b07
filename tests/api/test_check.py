"""A check finds what it can whatever is wrong, writes nothing, and estimates what a training takes."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from nncli.api.check import CheckResult, check
from nncli.base.errors import UsageError
from nncli.config.schema import Config
from tests.fitting.checks.support import codes, sound


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    pl.DataFrame(sound()).write_csv(tmp_path / "t.csv")
    return tmp_path


def of(folder: Path, text: str, *assignments: str) -> CheckResult:
    (folder / "c.yaml").write_text(text)
    return check(folder / "c.yaml", set=assignments)


SOUND = "data: {path: t.csv, target: y, drop: [z]}\nlayers: [4]\nepochs: 3\n"


@pytest.mark.slow
def test_a_valid_configuration_is_tried_and_nothing_is_written(folder: Path) -> None:
    result = of(folder, SOUND)
    assert result.findings == ()
    assert result.exit_code == 0
    assert result.dry_run is not None
    assert result.network is not None
    assert result.estimate is not None
    assert (result.estimate.epochs, result.estimate.steps_per_epoch, result.estimate.members) == (3, 8, 1)
    assert result.estimate.seconds > 0.0
    assert sorted(path.name for path in folder.iterdir()) == ["c.yaml", "t.csv"]


def test_every_error_of_the_file_is_found_and_the_table_is_checked_as_well(folder: Path) -> None:
    result = of(folder, "data: {path: t.csv, target: y}\nlayrs: [4]\nbatch_size: -1\nseed: x\n")
    assert codes(result.findings)[:3] == ["error configuration"] * 3
    assert result.findings[0].excerpt == "layrs: [4]\n^"
    assert result.findings[3].code == "target-leakage"  # z, which y follows from
    assert result.exit_code == 3
    assert result.network is None


@pytest.mark.slow
def test_a_finding_about_a_key_shows_its_line(folder: Path) -> None:
    (finding,) = of(folder, SOUND + "batch_size: 512\n").findings
    assert str(finding.location).endswith("c.yaml:4:1, batch_size")
    assert finding.excerpt == "batch_size: 512\n^"
    (finding,) = of(folder, SOUND, "batch_size=512").findings
    assert str(finding.location) == "--set batch_size=512, batch_size"


@pytest.mark.slow
def test_valid_keys_apply_to_the_table_checks_of_an_invalid_configuration(folder: Path) -> None:
    pl.DataFrame({**sound(), "y": ["few" if i % 40 == 0 else "many" for i in range(300)]}).write_csv(folder / "t.csv")
    wrong = "data: {path: t.csv, target: y, drop: [z]}\nlayers: [4]\nsead: 1\npositive_class: few\n"
    assert codes(of(folder, wrong).findings) == ["error configuration", "warning rare-class"]
    pl.DataFrame({**sound(), "y": ["few" if i % 25 == 0 else "many" for i in range(300)]}).write_csv(folder / "t.csv")
    assert codes(of(folder, wrong).findings) == ["error configuration", "warning class-imbalance"]
    assert codes(of(folder, wrong + "class_weight: balanced\n").findings) == ["error configuration"]


@pytest.mark.slow
def test_errors_that_need_the_table_are_found_together(folder: Path) -> None:
    result = of(folder, SOUND + "metric: acuracy\ncalibration: temperature\nvalidation: 0\noptimizer: sgd\n")
    places = [finding.location.key for finding in result.findings if finding.level == "error"]
    assert places == ["calibration", "metric"]
    assert result.exit_code == 3


@pytest.mark.slow
def test_all_unreadable_columns_are_found_and_the_network_is_tried_without_them(folder: Path) -> None:
    table = pl.read_csv(folder / "t.csv").with_columns(
        price=pl.Series([f"{i}.5" if i % 40 else ("n/a", "k.A.", "soon")[i // 40 % 3] for i in range(300)]),
        part=pl.Series([f"{i + 1},500" for i in range(300)]),
        far=pl.Series(["inf" if i % 40 == 9 else f"{i}.25" for i in range(300)]),
    )
    table.write_csv(folder / "t.csv")
    result = of(folder, SOUND)
    assert codes(result.findings) == ["error ambiguous-numbers"] * 3
    assert [finding.location.column for finding in result.findings] == ["price", "part", "far"]
    assert '"n/a"' in result.findings[0].hint
    assert result.exit_code == 4
    assert result.network is not None
    assert result.dry_run is not None


@pytest.mark.slow
def test_a_configured_column_kind_resolves_an_ambiguous_column(folder: Path) -> None:
    table = pl.read_csv(folder / "t.csv")
    table.with_columns(price=pl.Series([f"{i % 5}" if i % 40 else "n/a" for i in range(300)])).write_csv(
        folder / "t.csv"
    )
    assert of(folder, SOUND, "data.columns={price: categorical}").exit_code == 0


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty file"),
        pytest.param("x,y\n", id="no rows"),
        pytest.param("x,y\n1,a\n", id="too few rows"),
        pytest.param("x,y\n1,\n2,\n", id="no target cells"),
        pytest.param("a,b\n1,2\n", id="no target column"),
        pytest.param("x,y\n1,a\n2,a\n3,a\n4,a\n5,a\n6,a\n", id="one class"),
    ],
)
def test_a_table_that_cannot_be_trained_on_is_an_error_finding(tmp_path: Path, text: str) -> None:
    (tmp_path / "t.csv").write_text(text)
    result = of(tmp_path, "data: {path: t.csv, target: y}\nlayers: [4]\n")
    assert result.exit_code == 4
    assert result.findings[0].level == "error"
    assert result.findings[0].location.source == str(tmp_path / "t.csv")
    assert result.dry_run is None


def test_the_exit_code_is_that_of_the_configuration_when_the_table_is_wrong_too(tmp_path: Path) -> None:
    result = of(tmp_path, "data: {path: t.csv, target: y}\nlayrs: [4]\n")
    assert codes(result.findings) == ["error configuration", "error data"]
    assert result.exit_code == 3


@pytest.mark.slow
def test_a_note_of_training_is_one_finding(folder: Path) -> None:
    table = pl.read_csv(folder / "t.csv").with_columns(
        y=pl.Series([i % 2 for i in range(300)]),
        name=pl.Series([f"n{i}" for i in range(300)]),
        none=pl.lit(None, pl.String),
    )
    table.write_csv(folder / "t.csv")
    result = of(folder, SOUND)
    assert sorted(codes(result.findings)) == ["note empty-column", "note target-as-class", "warning id-like-column"]


@pytest.mark.slow
def test_an_unreachable_target_is_one_finding(folder: Path) -> None:
    result = of(
        folder, "data: {path: t.csv, target: z, drop: [y]}\nlayers: []\noutput_activation: sigmoid\nepochs: 1\n"
    )
    assert codes(result.findings) == ["warning unreachable-target"]


@pytest.mark.slow
def test_the_number_of_members_is_estimated_from_the_rows(folder: Path) -> None:
    result = of(folder, SOUND + "members: auto\nworkers: 1\n")
    assert result.estimate is not None
    assert result.estimate.members == 8


@pytest.mark.slow
def test_one_member_is_tried_and_all_members_are_estimated(folder: Path) -> None:
    first, several = of(folder, SOUND), of(folder, SOUND + "members: 4\nworkers: 1\n")
    assert several.findings == ()
    assert first.estimate is not None
    assert several.estimate is not None
    assert (several.estimate.members, several.estimate.workers) == (4, 1)
    assert several.estimate.memory_bytes == pytest.approx(first.estimate.memory_bytes, rel=0.1)


@pytest.mark.slow
def test_bagging_that_contradicts_validation_is_found(folder: Path) -> None:
    result = of(folder, SOUND + "members: 4\nvalidation: {folds: 5, fold: 0}\nbagging: folds\n")
    assert "error configuration" in codes(result.findings)


def test_a_network_beyond_the_memory_is_not_tried(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nncli.api.check.free_memory", lambda: 1e6)
    result = of(folder, SOUND)
    assert codes(result.findings) == ["warning memory"]
    assert result.network is not None
    assert result.dry_run is None


@pytest.mark.slow
def test_a_config_can_be_checked_from_python(folder: Path) -> None:
    config = Config.model_validate(
        {"data": {"path": str(folder / "t.csv"), "target": "y", "drop": ["z"]}, "layers": [4]}
    )
    lines: list[str] = []
    assert check(config, on_stage=lines.append).exit_code == 0
    assert lines[0] == "reading the table"
    with pytest.raises(UsageError):
        check(config, set=["epochs=2"])


@pytest.mark.slow
def test_mistakes_of_the_search_space_are_found(folder: Path) -> None:
    text = "data: {path: t.csv, target: y}\nlayers: [4]\nepochs: 2\ntune:\n  search:\n"
    assert of(folder, f"{text}    l2: {{from: 0, to: 1}}\n").exit_code == 0
    result = of(folder, f"{text}    l3: {{from: 0, to: 1}}\n    activation: {{choices: [relu, 3]}}\n")
    assert [finding.location.line for finding in result.findings if finding.exit_code] == [6, 7]
    assert all(finding.excerpt for finding in result.findings if finding.exit_code)
    assert result.dry_run is not None
    assert result.exit_code == 3
