"""Whatever a table holds, a look at it finds something to say and does not fail."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nncli.base.findings import FindingCode
from nncli.config.schema import Config
from nncli.fitting.table_report import check_table

ODD = ("", "NA", "nan", "inf", "-999", "1e308", "1e-320", "007", "1,5", "12%", "2024-01-01", "31/12/2020", "true")
CELLS = st.sampled_from((*ODD, "no", "a b c d", "\x1b[31m", "é", "9007199254740993", "0", "1", "2.5"))
COLUMN = st.lists(CELLS, min_size=1, max_size=6)


@pytest.mark.slow
@pytest.mark.parametrize("keys", [{}, {"loss": "mse"}, {"validation": 0.0}, {"members": 3}], ids=str)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(pools=st.lists(COLUMN, min_size=2, max_size=4), rows=st.integers(0, 45), step=st.integers(1, 7))
def test_any_cells_can_be_checked(
    tmp_path: Path, keys: dict[str, object], pools: list[list[str]], rows: int, step: int
) -> None:
    with (tmp_path / "t.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*(f"c{j}" for j in range(1, len(pools))), "y"])
        writer.writerows([pool[(i * step + i // 3) % len(pool)] for pool in pools] for i in range(rows))
    data = {"path": str(tmp_path / "t.csv"), "target": "y"}
    result = check_table(Config.model_validate({"data": data, "layers": [3], **keys})).findings
    assert len(result) == len(set(result))
    for finding in result:
        json.dumps(finding.as_json, allow_nan=False)
        assert finding.message
        assert finding.level != "warning" or finding.hint


def test_cells_that_are_treated_as_missing_are_a_finding(tmp_path: Path) -> None:
    rows = "".join(f"{'k.A.' if i == 7 else i},{i * 7 % 5}.5\n" for i in range(200))
    (tmp_path / "t.csv").write_text(f"x,y\n{rows}")
    config = Config.model_validate({"data": {"path": str(tmp_path / "t.csv"), "target": "y"}, "layers": [3]})
    assert FindingCode.INVALID_CELLS in [finding.code for finding in check_table(config).findings]
