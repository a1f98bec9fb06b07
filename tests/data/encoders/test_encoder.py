from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nncli.base.errors import DataError
from nncli.data.encoders import encoder as encoding
from nncli.data.encoders import numeric as numeric_blocks
from nncli.data.encoders.column_types import ColumnType, infer_kind
from nncli.data.encoders.encoder import Encoder
from nncli.data.encoders.encoding_options import CategoricalOptions, Clip, EncodingOptions, NumericScaling
from nncli.data.store.column_store import NO_COLUMNS, DenseColumns
from nncli.data.table import Table
from tests.data.encoders.support import CLIPS, KINDS, RECIPE, SCALINGS, bits, numeric, one, tables


@pytest.mark.slow
@given(tables())
def test_every_finite_cell_gives_a_finite_row(table: Table) -> None:
    for scaling in SCALINGS:
        for clip in CLIPS:
            X, *_ = Encoder.fit(table, KINDS, EncodingOptions(numeric=scaling, clip=clip, categories=RECIPE)).encode(
                table, "float32"
            )
            assert np.isfinite(X).all()


@pytest.mark.slow
@given(tables(), st.sampled_from(SCALINGS), st.sampled_from(["float32", "float64"]))
def test_an_encoder_from_json_gives_the_same_bits(table: Table, scaling: NumericScaling, dtype: str) -> None:
    encoder = Encoder.fit(table, KINDS, EncodingOptions(numeric=scaling, clip="smooth", categories=RECIPE))
    again = Encoder.model_validate_json(encoder.model_dump_json())
    assert again == encoder
    assert bits(again, table, dtype) == bits(encoder, table, dtype)


@pytest.mark.slow
@given(tables(), st.lists(st.integers(0, 12), max_size=4))
def test_chunks_give_the_same_bits_as_the_whole(table: Table, cuts: list[int]) -> None:
    encoder = Encoder.fit(table, KINDS)
    edges = [0, *sorted(cuts), len(table)]
    parts = [encoder.encode(table.part(a, b), "float32") for a, b in pairwise(edges)]
    X, codes, _ = encoder.encode(table, "float32")
    assert np.concatenate([part[0] for part in parts]).tobytes() == X.tobytes()
    assert np.concatenate([part[1] for part in parts]).tobytes() == codes.tobytes()


@pytest.mark.slow
@pytest.mark.parametrize("scaling", SCALINGS)
def test_blocks_give_the_same_bits_as_the_whole(monkeypatch: pytest.MonkeyPatch, scaling: NumericScaling) -> None:
    rng = np.random.default_rng(0)
    frame = pl.DataFrame({"x": rng.normal(size=1000), "w": rng.integers(0, 50, 1000), "v": rng.integers(0, 5, 1000)})
    table = Table(frame, "t.csv")
    kinds = [("x", ColumnType.NUMERIC), ("w", ColumnType.CATEGORICAL), ("v", ColumnType.CATEGORICAL)]
    encoder = Encoder.fit(table, kinds, EncodingOptions(numeric=scaling, clip="smooth", categories=RECIPE))
    whole = bits(encoder, table)
    for size in (1, 7, 999, 1000):
        monkeypatch.setattr(encoding, "BLOCK", size)
        assert bits(encoder, table) == whole


@pytest.mark.slow
@given(tables(), st.permutations(["number", "text", "word", "extra", "more"]))
def test_permuted_and_extra_columns_give_the_same_bits(table: Table, order: list[str]) -> None:
    encoder = Encoder.fit(table, KINDS)
    other = table.frame.with_columns(extra=pl.lit("oops"), more=pl.lit(None)).select(order)
    assert bits(encoder, Table(other, "other.csv")) == bits(encoder, table)


@pytest.mark.slow
@given(tables(), st.permutations(range(12)), st.sampled_from(SCALINGS))
def test_a_row_has_the_same_bits_wherever_it_stands(table: Table, order: list[int], scaling: NumericScaling) -> None:
    encoder = Encoder.fit(table, KINDS, EncodingOptions(numeric=scaling, clip="smooth", categories=RECIPE))
    X, *_ = encoder.encode(table, "float32")
    moved, *_ = encoder.encode(table.take(np.array(order)), "float32")
    assert moved.tobytes() == X[order].tobytes()


@pytest.mark.slow
@given(tables(), tables(), st.sets(st.integers(0, 11), min_size=1), st.sampled_from(SCALINGS))
def test_fitting_never_looks_at_validation_rows(
    table: Table, edits: Table, held: set[int], scaling: NumericScaling
) -> None:
    training = np.array(sorted(set(range(12)) - held), np.int64)
    keep = pl.Series([i not in held for i in range(12)])
    edited = Table(
        table.frame.select(pl.when(keep).then(pl.col(c)).otherwise(edits.frame[c]).alias(c) for c in table.names),
        table.source,
    )

    def fitted(whole: Table) -> str:
        rows = whole.take(training)
        try:
            kinds = [(name, infer_kind(rows, name)) for name in rows.names]
        except DataError as error:
            return str(error)
        return Encoder.fit(
            rows, kinds, EncodingOptions(numeric=scaling, clip="smooth", categories=RECIPE)
        ).model_dump_json()

    assert fitted(edited) == fitted(table)


def test_ignored_columns_are_left_out() -> None:
    encoder = Encoder.fit(one(["a"]), [("x", ColumnType.EMPTY)])
    X, codes, _ = encoder.encode(one(["b", "c"]), "float32")
    assert (encoder.names, X.shape, codes.shape) == ([], (2, 0), (2, 0))


def test_a_table_without_rows_is_encoded() -> None:
    table = Table(pl.DataFrame(schema=dict.fromkeys(["number", "text", "word"], pl.String)), "t.csv")
    X, codes, _ = Encoder.fit(table, KINDS).encode(table, "float32")
    assert (len(X), len(codes)) == (0, 0)


def test_a_missing_column_is_refused_also_when_there_are_no_rows() -> None:
    with pytest.raises(DataError, match="no column 'x'"):
        numeric([1.0, 2.0]).encode(Table(pl.DataFrame({"y": []}), "t.csv"), "float32")


def test_the_numeric_positions_are_those_of_values_alone() -> None:
    frame = pl.DataFrame(
        {
            "few": ["a", "a", "b", "b", "c", "c"],
            "x": [1.0, 2.0, None, 4.0, 5.0, 6.0],
            "many": [f"{n % 3}" for n in range(6)],
            "y": [1, 2, 3, 4, 5, 6],
        }
    )
    kinds = [(n, ColumnType.NUMERIC if n in "xy" else ColumnType.CATEGORICAL) for n in frame.columns]
    choices = CategoricalOptions(max_one_hot=2)
    encoder = Encoder.fit(Table(frame, "t.csv"), kinds, EncodingOptions(categories=choices))
    assert [encoder.features[j] for j in encoder.embeddable_positions] == ["x", "y"]
    assert encoder.embeddable_positions == (0, 2)
    encoder = Encoder.fit(Table(frame, "t.csv"), kinds)
    assert encoder.embeddable_positions == (3, 8)
    assert Encoder(columns=()).embeddable_positions == ()


@pytest.mark.slow
@given(
    values=st.lists(
        st.lists(st.floats(-1e30, 1e30) | st.sampled_from([0.0, -0.0, 1.0, 3e38, -1e39, 1e300, math.inf]), min_size=9),
        min_size=1,
        max_size=5,
    ),
    scaling=st.sampled_from(["standard", "min_max", "robust", "none"]),
    clip=st.sampled_from(CLIPS),
    dtype=st.sampled_from(["float32", "float64"]),
    cells=st.integers(1, 40),
)
@example([[0.0] * 5 + [1.3163893770700608e-146, 1e300, 0.0, 0.0]], "standard", "smooth", "float32", 1)
def test_plain_columns_together_give_the_same_bits_strangers_and_refusals_as_one_by_one(
    values: list[list[float]], scaling: NumericScaling, clip: Clip, dtype: str, cells: int
) -> None:
    names = [f"x{j}" for j in range(len(values))]
    x = np.array([column[:9] for column in values])
    training = np.where(np.abs(x) < 1e30, x, 0.0)[:, :6]
    columns: dict[str, Any] = dict(zip(names, training, strict=True))
    fitted = Table(pl.DataFrame({**columns, "word": list("abcabc"), "hole": [1.0, None, 2.0, 3.0, 4.0, 5.0]}), "t.csv")
    kinds = [
        *((name, ColumnType.NUMERIC) for name in names),
        ("word", ColumnType.CATEGORICAL),
        ("hole", ColumnType.NUMERIC),
    ]
    kinds.insert(1, kinds.pop())
    encoder = Encoder.fit(fitted, kinds, EncodingOptions(numeric=scaling, clip=clip))
    rest = Table(pl.DataFrame({"word": list("aabbccdef"), "hole": [1.0, None, 7.0] * 3}), "t.csv")
    which = [j for j, name in enumerate(names) if name in encoder.jointly_encoded]
    others = pl.DataFrame({name: x[j] for j, name in enumerate(names) if j not in which})
    rest = replace(rest, frame=rest.frame.hstack(others))
    plain = DenseColumns([names[j] for j in which], np.ascontiguousarray(x[which]))

    def outcome(table: Table, plain: DenseColumns) -> tuple[Any, ...]:
        X, codes = encoder.empty(9, dtype)
        try:
            anomalies = encoder.encode_into(table, X, codes, plain)
        except DataError as error:
            return (str(error),)
        return X.tobytes(), codes.tobytes(), anomalies

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(numeric_blocks, "CACHED_CELLS", cells)
        assert outcome(rest, plain) == outcome(plain.add_to(rest), NO_COLUMNS)


def test_a_refused_number_is_named_wherever_its_column_comes_from() -> None:
    table = Table(pl.DataFrame({"a": [1.0, 2.0, 3.0], "b": [1.0, 2.0, 3.0]}), "t.csv")
    encoder = Encoder.fit(table, [("a", ColumnType.NUMERIC), ("b", ColumnType.NUMERIC)])
    x = np.array([[1.0, 1.0], [2.0, 1e300]])
    for source, dense in (
        (pl.DataFrame({"a": x[0], "b": x[1]}), NO_COLUMNS),
        (pl.DataFrame({"a": x[0]}), DenseColumns(["b"], x[1:])),
    ):
        with pytest.raises(DataError) as caught:
            encoder.encode_into(Table(source, "t.csv"), *encoder.empty(2, "float32"), dense)
        assert caught.value.location is not None
        assert (caught.value.location.row, caught.value.location.column) == (2, "b")
