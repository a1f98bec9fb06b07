"""The operations of encoders against their matrices, for tables of every kind of column."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from nncli.base.errors import UsageError
from nncli.data.dialect import CsvDialect
from nncli.data.encoders.column_types import ENCODERS, ColumnType, infer_kind
from nncli.data.encoders.encoder import Encoder, lower_encoder, program_inputs
from nncli.data.encoders.encoding_options import CategoricalOptions, EncodingOptions
from nncli.data.table import Table
from nncli.exporters.read_inputs import read_inputs
from nncli.nn.program.inputs import NumberInput
from nncli.nn.program.program import build, run_nodes
from nncli.nn.program.values import Builder
from tests.assertions import raises
from tests.nn.program.support import number

MIXED = CsvDialect(decimal=".", decimals=(("z", ","),))
RNG = np.random.default_rng(7)
N = 240


def table() -> Table:
    """A table with columns of every kind, and with missing cells."""
    numbers = RNG.normal(5.0, 3.0, N)
    words = np.array(["not", "good", "bad", "fox", "the"])
    frame = pl.DataFrame(
        {
            "x": numbers,
            "gaps": [None if i % 5 == 0 else float(i) for i in range(N)],
            "constant": np.ones(N),
            "money": [f"{i}.50 €" for i in range(N)],
            "few": RNG.choice(["a", "b", "c"], N),
            "two": RNG.choice(["yes", "no"], N),
            "many": RNG.choice([f"c{i}" for i in range(40)], N),
            "holes": [None if i % 7 == 0 else "uv"[i % 2] for i in range(N)],
            "day": [f"{1965 + i % 9}-{1 + i % 12:02}-{1 + i % 28:02}" for i in range(N)],
            "moment": [None if i % 9 == 0 else f"2024-03-{1 + i % 28:02} {i % 24:02}:30" for i in range(N)],
            "words": [" ".join(RNG.choice(words, 4)) + f" {i}" for i in range(N)],
        }
    )
    return Table(frame, "t")


OPTIONS: list[dict[str, Any]] = [
    {},
    {"numeric": "robust", "clip": "smooth", "out_of_range_dates": "nearest_year"},
    {"numeric": "min_max", "categories": CategoricalOptions(max_one_hot=2, binary="sign", scaling="robust")},
    {"numeric": "none"},
]


def fit(rows: Table, options: dict[str, Any]) -> Encoder:
    kinds = [(name, infer_kind(rows, name)) for name in rows.names]
    assert {kind for _, kind in kinds} == {*ENCODERS}
    return Encoder.fit(rows, kinds, EncodingOptions(**options))


def lowered(encoder: Encoder, members: list[Encoder], rows: Table, precision: str) -> tuple[Any, list[Any]]:
    """X (rows, width) and the codes of the embedded columns by the operations of an encoder."""
    builder, inputs = Builder(), program_inputs(members)
    features = lower_encoder(encoder, builder, inputs, precision)
    assert features.X is not None
    program = build(builder, number(features.X), "float64")
    values = run_nodes(program, read_inputs(program, rows))
    codes = [
        column.member_codes[read_inputs(program, rows)[builder.inputs.index(inputs[c.name])][:, 0].astype(int)]
        for c, column in zip(encoder.embedded, features.embedded, strict=True)
    ]
    return values[program.output_nodes[0]], codes


@pytest.mark.slow
@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize(("precision", "error"), [("float32", 0.0), ("float64", 1e-14)])
def test_the_operations_make_the_matrix_of_the_encoder(options: dict[str, Any], precision: str, error: float) -> None:
    rows = table()
    members = [fit(rows.take(np.arange(start, start + 120)), options) for start in (0, 120)]
    for encoder in members:
        X, codes, _ = encoder.encode(rows, precision)
        values, member_codes = lowered(encoder, members, rows, precision)
        assert_allclose(values, X, rtol=error, atol=error)
        assert_array_equal(np.stack(member_codes, axis=1) if member_codes else codes, codes)


def test_a_text_column_without_a_common_word_moves_no_other_column() -> None:
    texts = [None if i % 9 == 0 else f"w{i} v{i} u{i}" for i in range(60)]
    rows = Table(pl.DataFrame({"x": np.arange(60.0), "words": texts}), "t")
    encoder = Encoder.fit(rows, [("x", ColumnType.NUMERIC), ("words", ColumnType.TEXT)])
    values, _ = lowered(encoder, [encoder], rows, "float32")
    assert_array_equal(values, encoder.encode(rows, "float32").X)


def test_quantile_scaling_is_the_same_within_rounding() -> None:
    rows = table()
    encoder = fit(rows, {"numeric": "quantile"})
    values, _ = lowered(encoder, [encoder], rows, "float32")
    np.testing.assert_allclose(values, encoder.encode(rows, "float64").X, rtol=1e-6, atol=1e-7)


@pytest.mark.slow
@pytest.mark.parametrize("value", [np.inf, -np.inf])
@pytest.mark.parametrize("options", [*OPTIONS, {"numeric": "quantile"}])
def test_an_infinite_number_or_date_becomes_nan(options: dict[str, Any], value: float) -> None:
    rows = table()
    encoder = fit(rows, options)
    builder = Builder()
    features = lower_encoder(encoder, builder, program_inputs([encoder]), "float32")
    assert features.X is not None
    program = build(builder, number(features.X), "float64")
    for name in ("x", "gaps", "constant", "day"):
        inputs = [column.copy() for column in read_inputs(program, rows)]
        inputs[encoder.names.index(name)][3] = value
        X = run_nodes(program, inputs)[program.output_nodes[0]]
        assert (~np.isfinite(X)).any(axis=1).tolist() == [i == 3 for i in range(N)]


def test_a_column_of_another_kind_or_unit_in_a_member_is_refused() -> None:
    rows = table()
    as_text = Table(rows.frame.with_columns(pl.col("x").cast(pl.String) + "a"), "t")
    other = Encoder.fit(as_text, [("x", ColumnType.CATEGORICAL)])
    with raises(UsageError):
        program_inputs([Encoder.fit(rows, [("x", ColumnType.NUMERIC)]), other])
    without_unit = Table(rows.frame.with_columns(money=pl.lit("7")), "t")
    with raises(UsageError):
        program_inputs([Encoder.fit(t, [("money", ColumnType.NUMERIC)]) for t in (rows, without_unit)])


def test_true_and_false_are_read_only_if_all_members_read_them() -> None:
    with_two = Table(pl.DataFrame({"x": [0.0, 1.0, 2.0]}), "t")
    members = [Encoder.fit(t, [("x", ColumnType.NUMERIC)]) for t in (with_two, with_two.part(0, 2))]
    for encoders, is_read in ((members, False), (members[1:], True)):
        column = program_inputs(encoders)["x"]
        assert isinstance(column, NumberInput)
        assert column.reads_booleans is is_read


def test_an_input_has_the_decimal_mark_of_its_column() -> None:
    rows = Table(pl.DataFrame({"x": ["1.5", "2.5"], "z": ["1,5", "2,5"]}), "t", dialect=MIXED)
    encoder = Encoder.fit(rows, [("x", ColumnType.NUMERIC), ("z", ColumnType.NUMERIC)])
    inputs = program_inputs([encoder], MIXED)
    assert [inputs[name] for name in "xz"] == [
        NumberInput("x", None, False, 1.5, 2.5, 2.0, is_binary=True),
        NumberInput("z", None, False, 1.5, 2.5, 2.0, decimal=",", is_binary=True),
    ]


def test_an_input_is_binary_if_all_members_have_the_same_two_values() -> None:
    tables = [Table(pl.DataFrame({"x": cells}), "t") for cells in ([0, 1, 0], [1, 0, None], [0, 2, 2], [0, 1, 2])]
    same, other, more = ([tables[0], table] for table in tables[1:])
    for members, is_binary in ((same, True), (other, False), (more, False)):
        column = program_inputs([Encoder.fit(table, [("x", ColumnType.NUMERIC)]) for table in members])["x"]
        assert isinstance(column, NumberInput)
        assert column.is_binary is is_binary
