from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from nncli.nn.program.inputs import NumberInput
from nncli.nn.program.program import run_nodes
from nncli.nn.program.values import Builder, join, smallest_sum
from tests.integrations.onnx.support import evaluate, model_of, number_program

SCORES = [np.sort(np.random.default_rng(g).normal(size=n)) for g, n in enumerate((1, 7, 12, 4))]
X = np.array([-2.0, 0.0, 0.4, 5.0])


@pytest.mark.parametrize("groups", [1, 4])
@pytest.mark.parametrize("is_scaled", [False, True])
def test_every_rank_is_that_of_the_interpreter(groups: int, *, is_scaled: bool) -> None:
    builder = Builder()
    x, scores = builder.input(NumberInput("x")), SCORES[-groups:]
    shifts = join([x * float(g) for g in range(groups)])
    scales = join([x * x + float(g) for g in range(groups)]) if is_scaled else None
    ranks = range(1, sum(map(len, scores)) + 1)
    program = number_program(builder, *(smallest_sum(shifts, scales, scores, rank) for rank in ranks))
    result = np.stack(list(evaluate(program, x=X).values()), axis=1)
    assert_allclose(result, run_nodes(program, [X[:, None]])[program.output_nodes[0]], rtol=1e-14, atol=1e-14)


def test_scores_that_cannot_be_the_answer_are_not_in_the_file() -> None:
    builder = Builder()
    x = builder.input(NumberInput("x"))
    scores = [np.arange(1000.0) + 0.1, np.arange(1000.0)]
    program = number_program(builder, smallest_sum(join([x, x + 1.0]), None, scores, 1990))
    assert len(model_of(program).SerializeToString()) < 4000
