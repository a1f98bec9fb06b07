"""Keys and values that older versions wrote into the files of a run, and what they are called now."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from nncli.config import RECORDS
from nncli.config.yaml.document import Document
from nncli.config.yaml.parser import read
from nncli.data.dialect import DEFAULT_MISSING_VALUES

KEYS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "learning_rate": {"initial": "peak"},
        "optimizer": {"lr_multiplier": "learning_rate_multiplier"},
        "tune": {"time": "time_limit"},
    }
)
"""Keys of a configuration by the key at the top level that they are inside."""
VALUES: Mapping[str, Mapping[str, str]] = MappingProxyType({"metric": {"calibrated_loss": "calibrated_log_loss"}})
"""Values of keys at the top level."""
ALWAYS_PEAK = ("one_cycle", "flat_cosine", "coslog")
"""Schedules whose learning rate was never called `initial`."""
GOALS: Mapping[str, str] = MappingProxyType({"rate": "positive_rate"})
"""Goals of a decision in model.json."""


def read_configuration(path: str | Path) -> Document:
    """Read a configuration file, with the names of today if it is in the directory of a run or of a search.

    Raises:
        ConfigError: the file cannot be read or parsed.
    """
    document = read(path)
    is_written = str(path) != "-" and any(Path(path).with_name(name).is_file() for name in RECORDS)
    return with_present_names(document) if is_written else document


def with_present_names(document: Document) -> Document:
    """The configuration of a run or a search with the keys and values of today.

    To older versions `data.missing_values` replaced the defaults.
    """
    values, data = _translated(document.value, present_key, _present), document.value.get("data")
    if isinstance(data, dict) and "default_missing_values" not in data:
        words = data.get("missing_values")
        if isinstance(words, list) and not {*DEFAULT_MISSING_VALUES} <= {*map(str, words)}:
            values["data"] = {**data, "default_missing_values": False}
    return replace(document, value=values)


def present_key(key: str) -> str:
    """A key with dots, such as `learning_rate.initial`, as it is written today."""
    first, *rest = key.split(".")
    names = KEYS.get(first, {})
    return ".".join([first, *(names.get(step, step) for step in rest)])


def with_earlier_names(values: Mapping[str, object]) -> dict[str, object]:
    """The values of a configuration with the keys of older versions, of which these computed digests."""
    schedule = values.get("learning_rate")
    kind = schedule.get("type") if isinstance(schedule, dict) else None

    def earlier_key(key: str) -> str:
        first, *rest = key.split(".")
        names = {
            new: old for old, new in KEYS.get(first, {}).items() if first != "learning_rate" or kind not in ALWAYS_PEAK
        }
        return ".".join([first, *(names.get(step, step) for step in rest)])

    return _translated(values, earlier_key, _earlier)


def with_present_goal(text: bytes) -> bytes:
    """The text of model.json with the name that the goal of its decision has today.

    Raises:
        ValueError: it is no JSON.
    """
    if not any(json.dumps(name).encode() in text for name in GOALS):
        return text
    document = json.loads(text)
    decision = document.get("decision") if isinstance(document, dict) else None
    goal = decision.get("goal") if isinstance(decision, dict) else None
    if not isinstance(goal, dict) or goal.get("type") not in GOALS:
        return text
    goal["type"] = GOALS[goal["type"]]
    return json.dumps(document).encode()


def _translated(
    values: Mapping[str, object], rename: Callable[[str], str], convert: Callable[[str, object], object]
) -> dict[str, object]:
    """A configuration with renamed keys, also in its section `tune.search`, whose keys have dots."""
    translated = {key: convert(key, value) for key, value in values.items()}
    tune = translated.get("tune")
    if isinstance(tune, dict) and isinstance(tune.get("search"), dict):
        search = {rename(str(key)): convert(str(key).split(".")[0], domain) for key, domain in tune["search"].items()}
        translated["tune"] = {**tune, "search": search}
    return translated


def _present(section: str, value: object) -> object:
    if isinstance(value, dict):
        names = KEYS.get(section, {})
        return {names.get(key, key): _present(section, item) for key, item in value.items()}
    if isinstance(value, list):
        return [_present(section, item) for item in value]
    return VALUES.get(section, {}).get(value, value) if isinstance(value, str) else value


def _earlier(section: str, value: object) -> object:
    if isinstance(value, dict):
        names = {new: old for old, new in KEYS.get(section, {}).items() if value.get("type") not in ALWAYS_PEAK}
        return {names.get(key, key): _earlier(section, item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_earlier(section, item) for item in value]
    names = {new: old for old, new in VALUES.get(section, {}).items()}
    return names.get(value, value) if isinstance(value, str) else value
