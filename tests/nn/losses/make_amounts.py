"""Makes amounts.json beside it with SciPy, scikit-learn and statsmodels: `python tests/nn/losses/make_amounts.py`.

Values are negative log-likelihoods with log y!, and mean deviances, in float64.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np


def main() -> None:
    """Write the file."""
    from scipy import stats
    from sklearn.metrics import mean_gamma_deviance, mean_poisson_deviance, mean_tweedie_deviance
    from statsmodels.discrete.count_model import ZeroInflatedPoisson  # type: ignore[import-not-found]

    rng = np.random.default_rng(0)
    n = 40
    z, s = np.round(rng.normal(0.3, 0.8, n), 4), np.round(rng.normal(0.0, 1.5, n), 4)
    y, weight = rng.negative_binomial(1.0, 0.3, n), np.round(rng.uniform(0.2, 2.0, n), 3)
    m, a, q = np.exp(z), np.exp(s), 1.0 / (1.0 + np.exp(-s))
    amounts = np.round(rng.gamma(2.0, m), 4)
    some = np.where(rng.random(n) < 0.4, 0.0, amounts)
    zero_inflated = []
    for row in range(n):  # statsmodels has the same parameters for all rows
        model = ZeroInflatedPoisson(y[row : row + 1], np.ones((1, 1)), exog_infl=np.ones((1, 1)))
        zero_inflated.append(-float(model.loglikeobs(np.array([s[row], z[row]]))[0]))
    document = {
        "z": z.tolist(),
        "s": s.tolist(),
        "counts": y.tolist(),
        "amounts": amounts.tolist(),
        "some": some.tolist(),
        "weight": weight.tolist(),
        "negative_binomial": (-stats.nbinom.logpmf(y, 1.0 / a, 1.0 / (1.0 + a * m))).tolist(),
        "zero_inflated_poisson": zero_inflated,
        "zero_inflated_mean": ((1.0 - q) * m).tolist(),
        "poisson_deviance": float(mean_poisson_deviance(y, m, sample_weight=weight)),
        "gamma_deviance": float(mean_gamma_deviance(amounts, m, sample_weight=weight)),
        "tweedie_deviance": {
            str(p): float(mean_tweedie_deviance(some, m, sample_weight=weight, power=p)) for p in (1.2, 1.5, 1.9)
        },
    }
    Path(__file__).with_name("amounts.json").write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
