"""Which columns the compiled loops project, and the order of the first matrix's rows."""

from __future__ import annotations

import pytest

from nncli.nn.network import Network

pytest.importorskip("numba")
pytest.importorskip("scipy")

from nncli.nn.training.compiled.blocks import InputLayout
from nncli.nn.training.compiled.inputs import COUNT, PLACE, ROW, WIDTH


def network_of(*, width: int = 16, bins: int = 32) -> Network:
    """Inputs: four columns of numbers embedded to `width` each, two flags, and categories of 12, 500 and 3 vectors."""
    return Network.model_validate(
        {
            "n_features": 6,
            "numeric_features": [0, 2, 3, 5],
            "numeric_embedding": {"type": "piecewise_linear", "bins": bins, "width": width},
            "embeddings": [
                {"name": "a", "n_embeddings": 12, "width": 8},
                {"name": "b", "n_embeddings": 500, "width": 8},
                {"name": "c", "n_embeddings": 3, "width": 6},
            ],
            "layers": [4],
            "n_outputs": 1,
        }
    )


@pytest.mark.parametrize(
    ("width", "rows", "projects"), [(16, 256, True), (16, 64, False), (4, 256, False), (8, 512, True)]
)
def test_numbers_are_projected_in_large_batches_where_they_are_wide(width: int, rows: int, projects: bool) -> None:
    assert InputLayout.of(network_of(width=width), rows).projects_numbers == projects


@pytest.mark.parametrize("rows", [1, 16, 64, 256, 2000])
def test_every_row_of_the_matrix_has_one_place(rows: int) -> None:
    layout = InputLayout.of(network_of(), rows)
    assert sorted(layout.order) == list(range(4 * 16 + 2 + 22))
    starts = {12: 66, 500: 74, 3: 82}
    for column in layout.categories:
        at = column[PLACE] if column[PLACE] >= 0 else column[ROW]
        start = starts[column[COUNT]]
        assert layout.order[at : at + column[WIDTH]].tolist() == list(range(start, start + column[WIDTH]))
        assert (column[PLACE] < 0) == (column[ROW] >= layout.n_direct)
        assert column[PLACE] < layout.n_learned
    assert layout.order[layout.n_learned : layout.n_direct].tolist() == [64, 65]
    numbers = layout.n_direct if layout.projects_numbers else 0
    assert layout.order[numbers : numbers + 64].tolist() == list(range(64))


def test_categories_are_projected_if_they_are_few_beside_the_rows() -> None:
    projected = {rows: (InputLayout.of(network_of(), rows).categories[:, PLACE] < 0).tolist() for rows in (4, 64, 2000)}
    assert projected == {4: [False, False, False], 64: [True, False, True], 2000: [True, True, True]}


def test_a_plain_network_has_its_features_in_order() -> None:
    layout = InputLayout.of(Network.model_validate({"n_features": 3, "layers": [4], "n_outputs": 1}), 256)
    assert (layout.order.tolist(), layout.n_learned, layout.n_direct) == ([0, 1, 2], 0, 3)
