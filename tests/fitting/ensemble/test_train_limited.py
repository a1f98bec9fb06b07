"""A training within a time limit is trained again to the bit by the configuration of its run, without the limit."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from nncli import predict, show, train
from nncli.base.errors import UsageError
from nncli.config.loading import load_config
from nncli.fitting import timing as plan
from nncli.fitting.ensemble import train as limited
from nncli.fitting.timing import Measurement
from nncli.run_directory.manifest import CONFIG
from tests.api.ensembles import config_of
from tests.cli.support import DATA

TABLE = DATA / "penguins.csv"


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine on which a step takes 100 seconds: the limits are long enough for a busy machine too."""
    measured = Measurement(0.0, 0.0, 0.0, 344, 100.0, 32, 0.0)
    original = plan.plan_within
    monkeypatch.setattr(limited, "plan_within", partial(original, measure=lambda *of: measured))
    monkeypatch.setattr(plan, "MIN_ROWS", 200)  # the table has fewer rows than the smallest sample


@pytest.mark.slow
@pytest.mark.usefixtures("slow")
@pytest.mark.parametrize(
    ("limit", "members", "epochs", "rows"),
    [("100h", 3, 100, 344), ("500m", 1, 26, 344), (800.0, 1, 3, 240)],
)
def test_the_configuration_of_the_run_trains_the_same_bits_without_a_limit(
    tmp_path: Path, limit: str | float, members: int, epochs: int, rows: int
) -> None:
    config = config_of(tmp_path, "epochs=100" if epochs > 3 else "epochs=3")
    config = config.model_copy(update={"epochs": 3}) if members == 3 else config
    run = train(config, output=tmp_path / "run", time_limit=limit).run
    recorded = load_config(run / CONFIG)
    assert recorded.time_limit is None
    assert recorded.members == members
    described = show(run)
    assert described.time_limit is not None
    assert described.training_rows <= rows
    again = train(run / CONFIG, output=tmp_path / "again").run
    assert show(again).time_limit is None
    assert predict(again, TABLE, proba=True).equals(predict(run, TABLE, proba=True))


@pytest.mark.slow
@pytest.mark.usefixtures("slow")
def test_a_limit_in_the_configuration_is_not_one_of_the_run(tmp_path: Path) -> None:
    config = config_of(tmp_path, "members=1", "epochs=1", "time_limit=1h")
    run = train(config, output=tmp_path / "run").run
    assert load_config(run / CONFIG).time_limit is None
    assert show(run).time_limit is not None


@pytest.mark.parametrize("limit", ["soon", "0s", -1.0])
def test_a_limit_must_be_a_duration(tmp_path: Path, limit: str | float) -> None:
    with pytest.raises(UsageError):
        train(config_of(tmp_path, "epochs=1"), output=tmp_path / "run", time_limit=limit)
