"""The reports of epochs are the same after they were arrays."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncli.nn.training.loop import EpochReport
from nncli.run_directory.checkpoints import from_arrays, to_arrays

NUMBERS = st.floats(allow_nan=False)
REPORTS = st.lists(
    st.builds(
        EpochReport,
        epoch=st.integers(1, 2**62),
        loss=NUMBERS,
        penalty=st.sampled_from([0.0, -0.0, 1.5]),
        val_loss=st.none() | NUMBERS,
        metric=st.none() | NUMBERS,
        learning_rate=st.sampled_from([0.01, 0.02]),
        is_best=st.booleans(),
        seconds=NUMBERS,
    ),
    max_size=6,
)


@given(REPORTS)
def test_reports_are_restored_exactly(reports: list[EpochReport]) -> None:
    restored = from_arrays(to_arrays(reports))
    assert restored == reports
    assert repr(restored) == repr(reports)  # the types and the sign of zero too


def test_a_number_that_is_none_in_all_epochs_takes_no_space_and_a_constant_one_takes_one_element() -> None:
    reports = [EpochReport(i, 1 / i, 0.0, None, None, 0.01, i == 1, 0.1) for i in range(1, 100)]
    sizes = {name.removeprefix("reports."): len(array) for name, array in to_arrays(reports).items()}
    assert sizes == {"epoch": 99, "loss": 99, "penalty": 1, "learning_rate": 1, "is_best": 99, "seconds": 1}


def test_a_metric_that_is_not_a_number_is_not_taken_for_a_missing_one() -> None:
    report = EpochReport(1, 0.5, 0.0, 0.5, float("nan"), 0.01, True, 0.1)
    (restored,) = from_arrays(to_arrays([report]))
    assert restored.metric is not None
    assert np.isnan(restored.metric)


@pytest.mark.parametrize("name", ["reports.loss", "reports.is_best", "reports.epoch"])
def test_damaged_arrays_are_refused(name: str) -> None:
    reports = [EpochReport(i, 1 / i, 0.0, None, None, 0.01, i == 1, 0.1) for i in range(1, 10)]
    arrays = to_arrays(reports)
    for damaged in (arrays[name][:3], arrays[name].astype(np.float32), arrays[name].reshape(3, 3), None):
        changed = {key: array for key, array in arrays.items() if key != name}
        changed |= {} if damaged is None else {name: damaged}
        with pytest.raises((ValueError, KeyError, TypeError)):
            from_arrays(changed)
