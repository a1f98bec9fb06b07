from __future__ import annotations

import numpy as np

from nncli.integrations.c.statements import Statements, int_array
from nncli.nn.program.inputs import NumberInput
from nncli.nn.program.program import Program, build
from nncli.nn.program.values import Builder, exp, join
from tests.nn.program.support import number


def program_of_layer() -> Program:
    builder = Builder()
    x = builder.input(NumberInput("x"))
    hidden = exp(join([x, x * 2.0]) @ np.ones((2, 3), np.float32))
    return build(builder, number(hidden.sum()), "float64")


def test_a_layer_is_a_product_and_small_loops() -> None:
    statements = Statements(program_of_layer(), ("x",), {})
    code = "\n".join(statements.lines)
    assert "product2x3f(v3, w4, v5); /* v5 = v3 W */" in code
    assert "for (int j = 0; j < 3; j++)\n    v6[j] = exp(v5[j]);" in code
    assert "const double v7 = sum_of(v6, 3);" in code
    assert list(statements.products) == ["product2x3f"]


def test_weights_are_printed_once_and_single_numbers_where_they_are_used() -> None:
    statements = Statements(program_of_layer(), ("x",), {})
    assert "static const float w4[6]" in statements.constants
    assert "w1" not in statements.constants
    assert "const double v2 = v0 * 2.0;" in statements.lines


def test_integers_are_a_table() -> None:
    assert int_array("p1", (1, -1)) == "static const int p1[2] = {1, -1};\n"
