"""A preset put beneath what a person wrote. Presets are YAML files like any other, in this folder.

`preset: textbook` adds nothing: the defaults of the schema are the textbook's. `preset: tabular`, which is meant where
no layers are named, is tabular.yaml; `quality` lays a few keys of fast.yaml or best.yaml over it. What a person writes
stands above all of it. The outcome is an ordinary configuration that names no preset.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import reduce
from pathlib import Path
from types import MappingProxyType

from nncli.config.overrides import Assignment, from_options, override
from nncli.config.yaml.document import Document, SourceSpan
from nncli.config.yaml.document import Path as Keys
from nncli.config.yaml.parser import parse
from nncli.errors import ConfigError, ConfigIssue

TABULAR, TEXTBOOK = "tabular", "textbook"
QUALITIES = {"fast": ("fast",), "balanced": (), "best": ("best",)}
"""The files laid over tabular.yaml for each quality."""
CHOOSING = (("preset",), ("quality",), ("layers",))
"""Keys that decide which preset is meant."""


def apply_preset(document: Document, assignments: Sequence[Assignment], mistakes: list[ConfigIssue]) -> Document:
    """`document` with its preset beneath it and the `assignments` above, as if it had been written out.

    A preset or a quality that does not exist is left where it stands, for validation to complain of. That `quality` is
    asked of a preset that has none is a mistake, which is gathered.
    """
    first = [assignment for assignment in assignments if assignment.words in CHOOSING]
    document = override(document, first, mistakes)
    written = document.value
    preset = written.get("preset") or (TEXTBOOK if "layers" in written else TABULAR)
    quality = written.get("quality") or "balanced"
    if preset == TEXTBOOK and written.get("quality") is not None:
        hint = "Remove the key, or leave out `layers`."
        mistakes.append(document.issue("only the preset tabular comes in qualities", ("quality",), hint=hint))
    if preset == TABULAR and isinstance(quality, str) and quality in QUALITIES:
        chosen = {key: value for key, value in written.items() if key not in ("preset", "quality")}
        document = reduce(_merge_defaults, (*QUALITIES[quality], TABULAR), replace(document, value=chosen))
    elif preset == TEXTBOOK:
        kept = {key: value for key, value in written.items() if key not in ("preset", "quality")}
        document = replace(document, value=kept)
    return override(document, [assignment for assignment in assignments if assignment.words not in CHOOSING], mistakes)


def with_preset(document: Document, options: Iterable[str] = ()) -> Document:
    """As `expand`, with each `key=value` above.

    Raises:
        ConfigError: an option, or what is asked of the preset, is wrong.
        UsageError: an option is not of the form key=value.
    """
    mistakes: list[ConfigIssue] = []
    document = apply_preset(document, list(from_options(options)), mistakes)
    if mistakes:
        raise ConfigError(*mistakes)
    return document


def _merge_defaults(document: Document, name: str) -> Document:
    """`document` with what the file `name`.yaml adds to it: keys it lacks, and keys within sections it has begun.

    A value with a `type` of its own is somebody's whole choice, and is not added to.
    """
    source = f"preset {name}"
    below = parse(Path(__file__).with_name(f"{name}.yaml").read_text(encoding="utf-8"), source)
    marks = dict(document.spans)

    def merged(mine: Mapping[str, object], theirs: Mapping[str, object], path: Keys) -> dict[str, object]:
        added = dict(mine)
        for key, value in theirs.items():
            here, own = (*path, key), added.get(key)
            if key not in added:
                added[key] = value
                marks.update({place: SourceSpan(source) for place in below.spans if place[: len(here)] == here})
            elif isinstance(own, dict) and isinstance(value, dict) and "type" not in own:
                added[key] = merged(own, value, here)
        return added

    value = merged(document.value, below.value, ())
    return replace(document, value=value, spans=MappingProxyType(marks))
