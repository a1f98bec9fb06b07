from __future__ import annotations

import shutil

import pytest

from nncli.exporters.runtimes import chromium


def test_without_a_browser_it_is_what_has_to_be_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert chromium.missing() == "install Chromium or Chrome"


def test_without_playwright_its_extra_has_to_be_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chromium, "find_spec", lambda name: None)
    assert chromium.missing() == "pip install 'nncli-train[runtimes]'"
