"""The data section: findings of the data check and a profile of the columns."""

from __future__ import annotations

from pathlib import Path

from nncli.analysis.evaluation.held_out import predict_held_out
from nncli.analysis.report.page import TableBlock
from nncli.analysis.report.run_page import data


def test_every_feature_is_profiled(penguins: Path) -> None:
    table = next(
        p for p in data(predict_held_out(penguins)).parts if isinstance(p, TableBlock) and p.columns[1] == "role"
    )
    roles = {str(row[0]): row[1] for row in table.rows}
    assert roles == dict.fromkeys(predict_held_out(penguins).model.names, "feature")


def test_findings_have_a_level_and_a_hint(penguins: Path) -> None:
    tables = [part for part in data(predict_held_out(penguins)).parts if isinstance(part, TableBlock)]
    assert tables[0].columns == ("level", "location", "finding", "hint")
    assert all(row[0] in ("note", "warning", "error") for row in tables[0].rows)


def test_numbers_have_a_histogram_and_categories_a_bar_for_each_frequent_value(penguins: Path) -> None:
    table = next(
        p for p in data(predict_held_out(penguins)).parts if isinstance(p, TableBlock) and p.columns[1] == "role"
    )
    bars = {row[0].text: row[5].bars for row in table.cells}
    assert len(bars["body_mass_g"]) == 20
    assert sum(bars["body_mass_g"]) == 342
    assert len(bars["island"]) == 3
    assert sum(bars["island"]) == 344
