"""Ensembles that are selected once for all tests of the room; not to be changed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from nncli.tuning.selected_ensemble import SelectedEnsemble, write_selected_ensemble
from tests.tuning.trained_trials import QUANTILES, classes_trials, numbers_trials


@dataclass(frozen=True)
class Selected:
    """The trials by number, and the ensemble that was selected from them."""

    trials: dict[int, Path]
    result: SelectedEnsemble

    @property
    def path(self) -> Path:
        return self.result.path


def _selected(folder: Path, trials: dict[int, Path]) -> Selected:
    return Selected(trials, write_selected_ensemble(trials, folder / "best" / "ensemble", 10))


@pytest.fixture(scope="session")
def classes(tmp_path_factory: pytest.TempPathFactory) -> Selected:
    folder = tmp_path_factory.mktemp("classes")
    return _selected(folder, classes_trials(folder))


@pytest.fixture(scope="session")
def numbers(tmp_path_factory: pytest.TempPathFactory) -> Selected:
    folder = tmp_path_factory.mktemp("numbers")
    return _selected(folder, numbers_trials(folder))


@pytest.fixture(scope="session")
def quantiles(tmp_path_factory: pytest.TempPathFactory) -> Selected:
    folder = tmp_path_factory.mktemp("quantiles")
    return _selected(folder, numbers_trials(folder, QUANTILES))
