"""Merge a preset beneath what the user wrote.

`preset: textbook` adds nothing to the defaults of the schema. `preset: tabular`, the default if there are no layers, is
tabular.yaml; `quality` puts a few keys of fast.yaml or best.yaml above it. What the user wrote has precedence over all
of these. The result is an ordinary configuration without a preset.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import reduce
from pathlib import Path
from types import MappingProxyType

from nncli.base.errors import ConfigError, ConfigIssue
from nncli.config.overrides import Assignment, from_options, override
from nncli.config.yaml.document import Document, SourceSpan
from nncli.config.yaml.document import Path as KeyPath
from nncli.config.yaml.parser import parse

TABULAR, TEXTBOOK = "tabular", "textbook"
QUALITIES = {"fast": ("fast",), "balanced": (), "best": ("best",)}
"""The files that are put above tabular.yaml for each quality."""
PRESET_KEYS = (("preset",), ("quality",), ("layers",))
"""Keys that select the preset."""


def preset_of(document: Document, assignments: Sequence[Assignment]) -> str:
    """The name of the preset that a document has beneath it, with the assignments; of one that does not exist too."""
    document, _ = override(document, [assignment for assignment in assignments if assignment.path in PRESET_KEYS])
    return str(_preset(document.value))


def _preset(written: Mapping[str, object]) -> object:
    return written.get("preset") or (TEXTBOOK if "layers" in written else TABULAR)


def apply_preset(document: Document, assignments: Sequence[Assignment]) -> tuple[Document, list[ConfigIssue]]:
    """The document with its preset beneath it and the assignments above it, and the issues of both.

    The name of a preset or a quality that does not exist is kept, so that validation reports it.
    """
    selecting = [assignment for assignment in assignments if assignment.path in PRESET_KEYS]
    document, issues = override(document, selecting)
    written = document.value
    preset = _preset(written)
    quality = written.get("quality") or "balanced"
    if preset == TEXTBOOK and written.get("quality") is not None:
        hint = "Remove the key, or leave out `layers`."
        issues.append(document.issue("only the preset tabular has qualities", ("quality",), hint=hint))
    without_preset = {key: value for key, value in written.items() if key not in ("preset", "quality")}
    if preset == TABULAR and isinstance(quality, str) and quality in QUALITIES:
        document = reduce(_merge_defaults, (*QUALITIES[quality], TABULAR), replace(document, value=without_preset))
    elif preset == TEXTBOOK:
        document = replace(document, value=without_preset)
    document, later = override(document, [a for a in assignments if a.path not in PRESET_KEYS])
    return document, [*issues, *later]


def with_preset(document: Document, options: Iterable[str] = ()) -> Document:
    """As `apply_preset`, with the assignments `key=value` of the command line.

    Raises:
        ConfigError: an option is wrong, or a quality is set for a preset that has none.
        UsageError: an option is not of the form key=value.
    """
    document, issues = apply_preset(document, list(from_options(options)))
    if issues:
        raise ConfigError(*issues)
    return document


def _merge_defaults(document: Document, name: str) -> Document:
    """The document with the keys of the file `name`.yaml that it lacks, also within its sections.

    A section with a `type` is complete, and nothing is added to it.
    """
    source = f"preset {name}"
    preset = parse(Path(__file__).with_name(f"{name}.yaml").read_text(encoding="utf-8"), source)
    spans = dict(document.spans)

    def merged(written: Mapping[str, object], defaults: Mapping[str, object], path: KeyPath) -> dict[str, object]:
        values = dict(written)
        for key, default in defaults.items():
            entry, value = (*path, key), values.get(key)
            if key not in values:
                values[key] = default
                spans.update({inner: SourceSpan(source) for inner in preset.spans if inner[: len(entry)] == entry})
            elif isinstance(value, dict) and isinstance(default, dict) and "type" not in value:
                values[key] = merged(value, default, entry)
        return values

    value = merged(document.value, preset.value, ())
    return replace(document, value=value, spans=MappingProxyType(spans))
