import json
from collections.abc import Mapping

import polars as pl

from nncli.serving.models.served_model import ServedModel
from nncli.serving.openapi import (
    example_invocation,
    example_json_line,
    example_lines,
    example_row,
)


def test_all_forms_hold_the_same_row(models: Mapping[str, ServedModel]) -> None:
    model = models["number"]
    row = example_row(model)
    assert list(row) == list(model.schema.by_name)
    assert json.loads(example_json_line(model)) == row
    texts = {name: "" if cell is None else str(cell) for name, cell in row.items()}
    for separator in ",\t":
        table = pl.read_csv(example_lines(model, separator).encode(), separator=separator, infer_schema=False)
        assert {name: cell or "" for name, cell in table.row(0, named=True).items()} == texts
    split = example_invocation(model)["dataframe_split"]
    assert [dict(zip(split["columns"], cells, strict=True)) for cells in split["data"]] == [row]
