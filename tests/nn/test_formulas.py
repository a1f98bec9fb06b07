"""The formulas that a trace prints are those of docs/mathematics.md."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from nncli.nn.activations import Relu, Sigmoid, Tanh
from nncli.nn.layers.dense import Dense
from nncli.nn.layers.sequential import Dropout
from nncli.nn.losses import CrossEntropyLoss, MSELoss
from nncli.nn.optim.optimizers import Adam, AdamW, Sgd

PAGE = (Path(__file__).parents[2] / "docs" / "mathematics.md").read_text("utf-8")
WORDS = {
    r"\mathrm{d}": "d", r"\hat m": "m̂", r"\hat v": "v̂", r"\sqrt{v̂}": "sqrt(v̂)", r"\odot": "⊙", r"^\top": "ᵀ",
    r"\leftarrow": "←", r"\theta": "theta", r"\epsilon": "epsilon", r"\sum": "Σ", r"\log": "log", r"\sigma": "σ",
    "^2": "²",
    "e^{-z}": "e⁻ᶻ",
}  # fmt: skip
SUBSCRIPTS = str.maketrans("ijkm", "ᵢⱼₖₘ")


def plain(page: str) -> str:
    """The formulas of a page as the code writes them."""
    text = page
    for latex, word in WORDS.items():
        text = text.replace(latex, word)
    text = re.sub(r"e\^\{([^}]*)\}", r"exp(\1)", text)
    text = re.sub(r"\\frac\{?(\d)\}?\{(\w+)\}", r"\1/(\2)", text)
    text = re.sub(r"\\frac(\d)(\w)", r"\1/\2", text)
    text = re.sub(r"_\{?([ijkm]+)\}?", lambda match: match[1].translate(SUBSCRIPTS), text)
    text = re.sub(r"\\(eta|mu)(?:\\,)? ?", lambda match: {"eta": "rate", "mu": "momentum"}[match[1]] + " · ", text)
    return " ".join(text.replace(r"\,", "").split())


DENSE = Dense(units=1, activation=Tanh()).formulas
FORMULAS = [
    *(formula for value, formula in DENSE.items() if value != "Y"),
    "Y = f(Z)",
    *Dropout().formulas.values(),
    *MSELoss().formulas(2),
    *(piece for outputs in (1, 3) for formula in CrossEntropyLoss().formulas(outputs) for piece in formula.split(", ")),
    "f(z) = 1 / (1 + e⁻ᶻ)",
    "f' = y (1 - y)",
    "f' = 1 - y²",
    "theta ← theta - rate · g",
    "v ← momentum · v + g",
    "theta ← theta - rate · v",
    "theta ← theta - rate · m̂ / (sqrt(v̂) + epsilon)",
]


@pytest.mark.parametrize("formula", FORMULAS)
def test_a_formula_of_the_code_stands_on_the_page_of_the_mathematics(formula: str) -> None:
    formula = formula.replace("L = 1/B Σᵢ (-t log p - (1 - t) log (1 - p))", "-t log p - (1 - t) log (1 - p)")
    assert formula in plain(PAGE)


def test_the_formulas_of_activations_and_optimizers_are_their_docstrings() -> None:
    assert FORMULAS[-7] in Sigmoid.formula()
    assert FORMULAS[-6] in Sigmoid.formula()
    assert FORMULAS[-5] in Tanh.formula()
    assert DENSE["Y"] == f"Y = f(Z), {Tanh.formula()}"
    assert Relu.formula() == "f(z) = z where z > 0, else 0. f' = [z > 0]."
    assert all(formula in Sgd.formula() for formula in FORMULAS[-4:-1])
    assert FORMULAS[-1] in Adam.formula()
    assert FORMULAS[-1] in AdamW.formula()
