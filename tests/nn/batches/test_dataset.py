from __future__ import annotations

import numpy as np

from nncli.nn.batches.dataset import Dataset


def test_there_are_as_many_examples_as_rows_even_without_numbers() -> None:
    examples = Dataset(np.empty((3, 0), np.float32), np.zeros((3, 1), np.int64), np.zeros(3, np.int64))
    assert len(examples) == 3
    assert examples.weights is None
