"""The module that is printed: its size, its types, and names that cannot end what they stand in."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

from nncli.exporters.formats import ModelInfo
from nncli.integrations.javascript.module import to_javascript
from nncli.nn.program.inputs import CategoryInput, DateInput, NumberInput, TextInput
from nncli.nn.program.program import LabelType
from tests.runtimes import hostile

INFO = ModelInfo("penguins", "0" * 64, "1.0")
COLUMNS = (
    NumberInput("age", "$", False, 0.0, 90.0, 41.5),
    CategoryInput("city", ("Oslo", "Bergen"), (("Oslo", 2), ("Bergen", 3)), (("Oslo", 2), ("Bergen", 3)), (), 4, ()),
    DateInput("day", ("%d.%m.%Y",), 0.0, 19_000.0, 100.5),
    TextInput("note", ("good", "not good")),
)


def constant(module: str, name: str) -> object:
    """The data of a constant of a module."""
    (result,) = re.findall(rf"^(?:export )?const {name}=(.*?);\n(?=/|const)", module, re.MULTILINE | re.DOTALL)
    return json.loads(result.replace(",\n]", "]"))


def test_inputs_tell_kind_unit_range_categories_and_a_typical_cell() -> None:
    assert constant(to_javascript(hostile.program_of(COLUMNS), INFO), "inputs") == [
        {"name": "age", "kind": "number", "unit": "$", "lowest": 0, "highest": 90, "typical": 41.5},
        {"name": "city", "kind": "category", "categories": ["Oslo", "Bergen"]},
        {
            **{"name": "day", "kind": "date", "formats": ["%d.%m.%Y"]},
            **{"lowest": "1970-01-01", "highest": "2022-01-08", "typical": "1970-04-11 12:00:00"},
        },
        {"name": "note", "kind": "text"},
    ]


@pytest.mark.parametrize(
    ("label_type", "labels", "classes"),
    [
        ("text", ["A", "1"], ["A", "1"]),
        ("integer", ["0", "9007199254740993"], [0, "9007199254740993"]),
        ("float", ["0", "1"], [0.0, 1.0]),
        ("boolean", ["false", "true"], [False, True]),
    ],
)
def test_the_model_tells_its_name_and_classes_in_their_type(
    label_type: LabelType, labels: list[str], classes: list[object]
) -> None:
    module = to_javascript(hostile.program_of(COLUMNS, labels, label_type=label_type), INFO)
    model = constant(module, "model")
    assert isinstance(model, dict)
    assert (model["name"], model["checksum"], model["labels"]) == ("penguins", "0" * 64, labels)
    assert (model["classes"], model["labelType"]) == (classes, label_type)


@pytest.mark.slow
def test_no_text_can_end_a_string_a_comment_or_a_script() -> None:
    texts = hostile.texts(2000)
    columns = [NumberInput(name, unit=name) for name in texts]
    module = to_javascript(hostile.program_of(columns, texts), replace(INFO, name="*/\n</script>"))
    assert "<" + "/script" not in module.lower()
    assert "<" + "!--" not in module
    assert not re.search("[\u2028\u2029\ufeff\u202e\x00-\x09\x0b-\x1f\x7f]", module)
    head, _, rest = module.partition("/**\n * The columns")
    assert head.count("*/") == 5  # the first one is the name, in a comment of one line
    assert all(line.startswith((" ", "/", "}")) or not line for line in head.splitlines())
    assert constant("/**\n" + rest, "inputs") == [{"name": name, "kind": "number", "unit": name} for name in texts]


def test_a_module_without_weights_has_at_most_18_kb_for_twenty_columns() -> None:
    names = [f"column_{i}" for i in range(20)]
    columns = [NumberInput(name, None, False, -3.125, 3.125, 0.0625) for name in names]
    module = to_javascript(hostile.program_of(columns), INFO)
    assert len(re.sub(r'"[A-Za-z0-9+/=]{100,}"', "", module).encode()) <= 18_000
