"""Without a target, the column that is most likely predicted is proposed."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from nncli import check, init
from nncli.base.errors import UsageError, in_terminal
from nncli.base.findings import FindingCode
from nncli.fitting.table_summary import likely_target


@pytest.mark.parametrize(
    ("names", "target"),
    [
        (["MedInc", "HouseAge", "Latitude", "Longitude"], "HouseAge"),
        (["MedInc", "MedHouseVal", "Latitude", "Longitude"], "MedHouseVal"),
        (["longitude", "median_house_value", "ocean_proximity"], "median_house_value"),
        (["Id", "LotArea", "SalePrice"], "SalePrice"),
        (["price", "carat", "x", "y", "z"], "y"),
        (["PassengerId", "Survived", "Name", "Embarked"], "Survived"),
        (["y", "a", "b"], "y"),
        (["a", "b", "c"], "c"),
        (["id"], "id"),
        (["", " "], "COLUMN"),
        ([], "COLUMN"),
    ],
)
def test_a_usual_name_or_the_last_column_that_is_no_place_or_key(names: list[str], target: str) -> None:
    assert likely_target(names) == target


def test_the_error_of_a_missing_target_proposes_it(tmp_path: Path) -> None:
    pl.DataFrame({"rooms": [1, 2], "price": [3, 4], "Longitude": [5, 6]}).write_csv(tmp_path / "t.csv")
    with pytest.raises(UsageError) as caught:
        init(str(tmp_path / "t.csv"), [])
    assert "Try --target price." in caught.value.on(in_terminal)
    assert "Try target='price'." in str(caught.value)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("values", "proposed"),
    [([0, 1, 2, 3, 4], True), ([0, 1], False), ([1, 2, 3, 4, 5], False), ([0.5, 1.5, 2.5], False)],
)
def test_a_loss_of_counts_is_proposed_for_whole_numbers_from_0_on(
    tmp_path: Path, values: list[float], proposed: bool
) -> None:
    path = str(tmp_path / "t.csv")
    pl.DataFrame({"a": [i % 7 for i in range(60)], "n": [values[i % len(values)] for i in range(60)]}).write_csv(path)
    hints = [finding.hint for finding in check(path, target="n", set=["preset=textbook"]).findings]
    assert any("--set loss=poisson" in hint for hint in hints) is proposed
    assert ("for counts loss: poisson" in init(path, "n").replace("\n# ", " ")) is proposed
    if proposed:
        followed = check(path, target="n", set=["preset=textbook", "loss=poisson"]).findings
        assert FindingCode.TARGET_AS_CLASS not in [finding.code for finding in followed]
