"""Models are found by name, and one in a slot can be replaced."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from nncli.serving.models.reload import ModelSlot, ModelSlots, file_states
from nncli.serving.models.served_model import ServedModel


def test_the_first_model_is_that_of_addresses_without_a_name(
    runs: Mapping[str, Path], models: Mapping[str, ServedModel]
) -> None:
    first, second = (ModelSlot(runs[name], models[name]) for name in ("number", "numbers"))
    slots = ModelSlots([first, second])
    assert slots.all == [first, second]
    assert slots.find(None) is slots.find("number") is first
    assert slots.find("numbers") is second
    assert slots.find("other") is None


def test_a_slot_has_the_files_that_its_model_was_read_from(
    runs: Mapping[str, Path], models: Mapping[str, ServedModel]
) -> None:
    slot = ModelSlot(runs["number"], models["number"])
    assert slot.files == file_states(runs["number"])
    slot.current = replace(models["number"], name="another")
    assert slot.name == "another"
