"""Makes survival.json beside it with scikit-survival and lifelines: `python tests/targets/metrics/make_survival.py`.

The censoring distribution is that of the scored rows themselves.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np


def main() -> None:
    """Write the file."""
    from lifelines.utils import concordance_index  # type: ignore[import-not-found]
    from sksurv import metrics  # type: ignore[import-not-found]
    from sksurv.nonparametric import kaplan_meier_estimator  # type: ignore[import-not-found]
    from sksurv.util import Surv  # type: ignore[import-not-found]

    rng = np.random.default_rng(7)
    n = 60
    x = rng.normal(size=n)
    until, censored = np.ceil(rng.exponential(np.exp(2.0 - 0.8 * x))), np.ceil(rng.exponential(12.0, n))
    time, event = np.minimum(until, censored), until <= censored
    last = int(np.argmax(time))
    time[last], event[last] = time[last] + 1.0, False  # the censoring is known at all times of events
    risk, start = np.round(x, 1), np.floor(time * rng.uniform(0.0, 0.6, n))
    times = np.unique(time[event & (time < time.max())])
    S = np.exp(-np.outer(np.exp(risk), times) / 10.0)
    y = Surv.from_arrays(event, np.where(event, time, time + 1e-9))  # censorings come after events of the same time
    _, mean_auc = metrics.cumulative_dynamic_auc(y, y, 1.0 - S, times)
    document = {
        "time": time.tolist(),
        "event": event.tolist(),
        "risk": risk.tolist(),
        "start": start.tolist(),
        "times": times.tolist(),
        "concordance": float(metrics.concordance_index_censored(event, time, risk)[0]),
        "concordance of lifelines": float(concordance_index(time, -risk, event)),
        "uno_concordance": float(metrics.concordance_index_ipcw(y, y, risk, tau=times[-1] + 1e-6)[0]),
        "brier": metrics.brier_score(y, y, S, times)[1].tolist(),
        "integrated_brier": float(metrics.integrated_brier_score(y, y, S, times)),
        "time_auc": float(mean_auc),
    }
    for name, entry in (("kaplan_meier", None), ("kaplan_meier with start", start)):
        steps, values = kaplan_meier_estimator(event, time, time_enter=entry)
        document[name] = [steps.tolist(), values.tolist()]
    Path(__file__).with_name("survival.json").write_text(
        json.dumps(document, separators=(",", ":")) + "\n", encoding="utf-8"
    )


if __name__ == "__main__":
    main()
