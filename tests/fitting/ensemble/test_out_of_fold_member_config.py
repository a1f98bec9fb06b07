"""What a member's configuration takes from the whole, and what is its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from nncli.config.schema import Config, DataSection, ValidationFile
from nncli.data.splitting.folds import Fold
from nncli.fitting.ensemble import out_of_fold as members
from nncli.fitting.ensemble.out_of_fold import as_subtask, member_config

CONFIG = Config(data=DataSection(path="t.csv", target=("y",)), members=4, seed=7)


def test_members_differ_only_in_seed_rows_and_directory() -> None:
    member = member_config(CONFIG, 2, Path("/runs/r"), 1)
    assert member.validation == Fold(folds=4, fold=2, seed=7)
    changed = {key for key in Config.model_fields if getattr(member, key) != getattr(CONFIG, key)}
    assert changed == {"data", "validation", "members", "threads", "seed", "output"}
    assert (member.members, member.threads, member.seed, member.output) == (1, 1, 9, "/runs/r/members/3")


def test_paths_of_tables_are_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = as_subtask(CONFIG.model_copy(update={"validation": ValidationFile(path="v.csv")}))
    assert result.data.path == str(tmp_path / "t.csv")
    assert result.validation == ValidationFile(path=str(tmp_path / "v.csv"))


def test_members_side_by_side_share_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    limit = 4e9
    monkeypatch.setattr(members, "memory_limit", lambda config: limit)
    assert as_subtask(CONFIG, at_a_time=4).memory_limit == "1000000000 B"
    assert as_subtask(CONFIG).memory_limit == "auto"
    limit = float("inf")
    assert as_subtask(CONFIG, at_a_time=4).memory_limit == "auto"
    Config.model_validate(as_subtask(CONFIG, at_a_time=4).model_dump())


def test_a_configured_number_of_threads_is_kept() -> None:
    assert as_subtask(CONFIG.model_copy(update={"threads": 2})).threads == 2
