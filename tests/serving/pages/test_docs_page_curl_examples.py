import json
import shlex
from collections.abc import Mapping
from dataclasses import replace

import pytest

from nncli.serving.columns.input_schema import InputSchema
from nncli.serving.models.served_model import ServedModel
from nncli.serving.pages.docs_page import ORIGIN, curl_examples
from tests.serving.asgi_client import AsgiClient
from tests.serving.features import column_of
from tests.serving.trained import CONFIGS


def _words(command: str) -> list[str]:
    return shlex.split(command.replace(ORIGIN, "http://localhost"))


@pytest.mark.parametrize("model", CONFIGS)
def test_the_commands_are_answered(client: AsgiClient, models: Mapping[str, ServedModel], model: str) -> None:
    for _, command in curl_examples(models[model], has_token=False):
        curl, address, option, header, data, body = _words(command)
        assert (curl, option, data) == ("curl", "-H", "--data-raw")
        answer = client.post(address.removeprefix("http://localhost"), body, header.partition(": ")[2])
        assert (answer.status, command) == (200, command)


def test_the_token_is_a_variable_of_the_shell(models: Mapping[str, ServedModel]) -> None:
    for _, command in curl_examples(models["number"], has_token=True):
        assert ' -H "Authorization: Bearer $TOKEN" ' in command


def test_names_do_not_end_a_word_of_the_shell(models: Mapping[str, ServedModel]) -> None:
    names = ["@file", "a'b", "$(reboot)", "`x`", "a\nb", "\u202ea\x1b", "; x"]
    schema = InputSchema(tuple(column_of(name, "number", False, typical=1.5) for name in names))
    model = replace(models["number"], name="it's; & more", schema=schema)
    json_command, *_, csv_command = (command for _, command in curl_examples(model, has_token=False))
    words = _words(json_command)
    assert json.loads(words[-1]) == dict.fromkeys(names, 1.5)
    assert words[1] == "http://localhost/models/it%27s%3B%20%26%20more/predict"
    assert all(item.isprintable() for item in json_command.replace(ORIGIN, ""))
    assert _words(csv_command)[-2:] == ["--data-binary", "@rows.csv"]
