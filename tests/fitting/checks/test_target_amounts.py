"""Which targets look like counts or amounts, and what is proposed for them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from nncli import check, init
from nncli.base.findings import FindingCode
from nncli.nn.losses.proposals import default_amount_loss, proposed_loss

RNG = np.random.default_rng(0)
PRICES = np.exp(RNG.normal(5.0, 1.2, 400))


@pytest.mark.parametrize(
    ("y", "loss"),
    [
        (RNG.poisson(0.8, 400).astype(float), "poisson"),
        (RNG.negative_binomial(1.0, 0.3, 400).astype(float), "negative_binomial"),
        (np.where(RNG.random(400) < 0.6, 0.0, PRICES), "tweedie"),
        (PRICES, "gamma"),
        (RNG.normal(10.0, 1.0, 400), None),
        (RNG.normal(0.0, 1.0, 400) ** 3, None),
        (RNG.integers(1990, 2020, 400).astype(float), None),
        (RNG.random(400), None),
        (np.zeros(400), None),
        (PRICES[:20], None),
    ],
)
def test_a_loss_is_proposed_for_skewed_numbers_of_0_or_more(y: np.ndarray, loss: str | None) -> None:
    proposed = proposed_loss(y)
    assert (None if proposed is None else proposed[0].type) == loss


def test_the_loss_with_an_exposure_follows_from_the_numbers() -> None:
    for y, loss in (([0.0, 2.0], "poisson"), ([0.5, 2.0], "gamma"), ([0.0, 2.5], "tweedie")):
        assert default_amount_loss(np.array(y)).type == loss


@pytest.mark.slow
def test_init_and_check_propose_the_loss(tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    pl.DataFrame({"x": RNG.normal(size=400), "price": PRICES}).write_csv(table)
    assert "# loss: gamma" in init(table, "price", output=tmp_path / "c.yaml")
    findings = check(table, target="price").findings
    assert FindingCode.AMOUNT_LIKE_TARGET in {finding.code for finding in findings}
    findings = check(table, target="price", set=["loss=mse"]).findings
    assert FindingCode.AMOUNT_LIKE_TARGET not in {finding.code for finding in findings}
