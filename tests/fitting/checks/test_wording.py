"""The wording of findings. It is pinned here alone: other tests check levels, codes and locations."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from nncli.base.errors import in_terminal
from tests.fitting.checks.support import ROWS, found, sound

TABLE = sound()
Columns = dict[str, Sequence[object]]


def labels(few: int) -> list[str]:
    return ["few" if i % (ROWS // few) == 0 else "many" for i in range(ROWS)]


CASES: dict[str, tuple[Columns, dict[str, object], str]] = {
    "missing cells": (
        {"a": [None if i % 10 == 0 else x for i, x in enumerate(TABLE["a"])]},
        {},
        (
            "note: FOLDER/t.csv, column 'a': 1 of 3 columns with missing cells: 'a' 10 %\n"
            "  No action needed: a missing number becomes the median with an indicator, a missing category "
            "is a category."
        ),
    ),
    "a nearly empty column": (
        {"rest": [float(i) if i < 3 else None for i in range(ROWS)]},
        {},
        (
            "note: FOLDER/t.csv, column 'rest': nearly empty: 'rest' 99 % of the cells are missing\n"
            "  If the remaining values matter little, drop it: --drop rest."
        ),
    ),
    "an empty column": (
        {"empty": [None] * ROWS},
        {},
        (
            "note: FOLDER/t.csv, column 'empty': 'empty' has no value in any row and will be ignored\n"
            "  No action needed; to drop it explicitly: --drop empty."
        ),
    ),
    "constant columns": (
        {"k": [1.5] * ROWS, "same": ["x"] * ROWS},
        {},
        (
            "note: FOLDER/t.csv: 'k' and 'same' have the same value in every row, so nothing can be learned "
            "from it\n"
            "  Drop them: --drop k --drop same."
        ),
    ),
    "an id": (
        {"name": [f"person{i}" for i in range(ROWS)]},
        {},
        (
            "warning: FOLDER/t.csv, column 'name': 'name' has a different value in every row and carries no "
            "information\n"
            "  Drop it: --drop name. If its words matter: --set data.columns.name=text."
        ),
    ),
    "a duplicate column": (
        {"copy": TABLE["a"]},
        {},
        ("note: FOLDER/t.csv, column 'copy': 'copy' is equal to 'a' in every row\n  Drop it: --drop copy."),
    ),
    "leakage": (
        {"after": [1 if y == "yes" else 0 for y in TABLE["y"]]},
        {},
        (
            "warning: FOLDER/t.csv, column 'after': this column alone predicts 'y': accuracy 100 % on "
            "held-out rows; is it known before the target?\n"
            "  If it is not known for new rows, drop it: --drop after."
        ),
    ),
    "a sentinel value": (
        {"age": [-999 if i % 9 == 0 else 18 + i % 60 for i in range(ROWS)]},
        {},
        (
            "warning: FOLDER/t.csv, column 'age': 'age' is -999 in 34 rows, far from all other values; does "
            "it stand for a missing value?\n"
            '  If so, --set \'data.missing_values=["-999", "-999.0"]\', or empty these cells.'
        ),
    ),
    "an outlier": (
        {"a": [1e6 if i == 77 else x for i, x in enumerate(TABLE["a"])]},
        {},
        (
            "warning: FOLDER/t.csv, row 78, column 'a': 'a' is 1e+06 in row 78, 973,429 robust scales from "
            "the median (-0.0765235)\n"
            "  If it is an error, correct or empty the cell; if it is right, --set encoding.numeric=quantile "
            "limits its effect."
        ),
    ),
    "a rare class": (
        {"y": labels(10)},
        {"positive_class": "few"},
        ("warning: FOLDER/t.csv, column 'y': 1 class has few training rows: 'few' 8\n  Add rows of the class."),
    ),
    "a constant target": (
        {"z": [2.5] * ROWS},
        {"target": "z"},
        (
            "warning: FOLDER/t.csv, column 'z': the target 'z' is '2.5' in all rows, so there is nothing to "
            "learn\n"
            "  Name another target, or add rows in which it differs."
        ),
    ),
    "a large batch": (
        {},
        {"batch_size": 512},
        (
            "warning: batch_size: batch_size 512 exceeds the 240 training rows\n"
            "  Use --set batch_size=full for one step per epoch, or a smaller number for more steps."
        ),
    ),
    "few validation rows": (
        {},
        {"validation": 0.05},
        (
            "warning: validation: only 15 validation rows: scores on so few are mostly chance\n"
            "  Add rows, increase validation, or use nncli cross-validate, which scores every row."
        ),
    ),
    "no validation rows": (
        {},
        {"validation": 0.0},
        (
            "note: validation: there are no validation rows, so the score on new rows is unknown\n"
            "  Use --set validation=0.2, or score the run on a test table: nncli evaluate RUN TABLE."
        ),
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize(("columns", "keys", "text"), CASES.values(), ids=CASES)
def test_the_wording_of_a_finding(tmp_path: Path, columns: Columns, keys: dict[str, object], text: str) -> None:
    (finding,) = found(tmp_path, {**TABLE, **columns}, **keys)  # type: ignore[arg-type]
    assert finding.on(in_terminal).replace(str(tmp_path), "FOLDER") == text
