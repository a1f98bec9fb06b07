"""Settings of the interpreter while a server runs."""

from __future__ import annotations

import gc
import sys

import pytest

from nncli.serving.process.signals import short_pauses


@pytest.mark.slow
def test_the_settings_of_before_are_restored() -> None:
    before, frozen = (gc.get_threshold(), sys.getswitchinterval()), gc.get_freeze_count()
    with short_pauses():
        assert gc.get_threshold()[0] == 10_000
        assert sys.getswitchinterval() == pytest.approx(0.001)
        assert gc.get_freeze_count() > frozen
    assert (gc.get_threshold(), sys.getswitchinterval()) == before
    assert (gc.get_freeze_count() > 0) == (frozen > 0)
