import asyncio
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from weakref import ref

from nncli.serving.models.reload import ModelSlot, ModelSlots
from nncli.serving.models.served_model import ServedModel
from nncli.serving.routes.pages import Descriptions, Models


def test_a_text_is_made_once_and_again_when_a_model_is_replaced(models: Mapping[str, ServedModel]) -> None:
    slot = ModelSlot(Path(), models["number"])
    slots, calls = ModelSlots([slot]), list[Models]()

    def make(models: Models) -> str:
        calls.append(models)
        return models[0].name

    async def texts() -> list[str]:
        descriptions = Descriptions()
        result = list(await asyncio.gather(*(descriptions.text("a", slots, make) for _ in range(3))))
        slot.current = models["two"]
        return [*result, await descriptions.text("a", slots, make), await descriptions.text("b", slots, make)]

    assert asyncio.run(texts()) == ["number", "number", "number", "two", "two"]
    assert len(calls) == 3


def test_a_replaced_model_is_not_held(models: Mapping[str, ServedModel]) -> None:
    slot = ModelSlot(Path(), replace(models["number"]))
    model = ref(slot.current)
    descriptions = Descriptions()
    asyncio.run(descriptions.text("a", ModelSlots([slot]), lambda models: models[0].name))
    slot.current = models["two"]
    assert model() is None
