"""`nncli plugins`: the parts that packages and files of code add, and a package to begin with."""

from __future__ import annotations

import re
import warnings
from dataclasses import asdict, dataclass
from importlib import import_module
from keyword import iskeyword
from pathlib import Path
from typing import Any

from nncli.base import plugins as registry
from nncli.base.errors import Location, UsageError
from nncli.base.spec import Spec
from nncli.base.text import closest_match, join_quoted, quote

TEMPLATES = Path(__file__).with_name("templates")
NAME = re.compile(r"[a-z][a-z0-9_]*")
HOMES = (
    *("config.schema", "targets.target", "targets.metrics.registry"),
    *("data.sources.open", "exporters.formats", "tracking.tracker", "tuning.sampler"),
)
"""The modules that import the classes of all parts."""


@dataclass(frozen=True)
class PluginInfo:
    """A part with its package and version, or its file; `state` is ready, off, or why it cannot be used."""

    name: str
    kind: str
    package: str
    version: str
    state: str

    def json(self) -> dict[str, Any]:
        """The part as JSON."""
        return asdict(self)


def plugins() -> tuple[PluginInfo, ...]:
    """The parts that packages and loaded files of code have, by kind and name. All of them are loaded."""
    infos = [
        PluginInfo(about.name, about.kind, str(about.file), "", "ready")
        for about in registry.plugins()
        if about.file is not None
    ]
    allowed = {(entry.group, entry.name, entry.value) for entry in registry.entries()}
    every = registry.installed()
    for entry in every:
        kind, package = entry.group.removeprefix("nncli."), "" if entry.dist is None else entry.dist.name
        own = registry.integrations(kind).get(entry.name)
        rivals = [other for other in every if (other.group, other.name) == (entry.group, entry.name)]
        state: str | None = "off"
        if own is not None and own.value != entry.value:
            state = "this name is built in"
        elif (entry.group, entry.name, entry.value) in allowed:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", registry.PluginWarning)
                is_single = own is not None or len(rivals) == 1
                state = registry.load_entry(entry) if is_single else "two packages have this name"
        version = "" if entry.dist is None else entry.dist.version
        infos.append(PluginInfo(entry.name, kind, package, version, state or "ready"))
    order = [*registry.KINDS]
    return tuple(sorted(infos, key=lambda info: (order.index(info.kind), info.name, info.package)))


def new_plugin(kind: str, name: str, output: str | Path | None = None) -> Path:
    """Write a package with a part of a kind, and return its folder, by default nncli-NAME.

    Raises:
        UsageError: there is no such kind, the name is none or is taken, or the folder exists.
    """
    plural = next((plural for plural, noun in registry.KINDS.items() if kind in (plural, noun, plural[:-1])), None)
    if plural is None:
        near = closest_match(kind, [*registry.KINDS])
        hint = f"Did you mean {near}?" if near else f"The kinds are {', '.join(registry.KINDS)}."
        raise UsageError(f"there is no kind of part {quote(kind)}", hint=hint)
    if not NAME.fullmatch(name) or (plural == "sources" and "_" in name):  # the name of a source begins an address
        raise UsageError(
            f"{quote(name)} is no name of a part",
            hint="Use small letters, digits and _, such as log_cosh; for a source no _.",
        )
    class_name = "".join(word.capitalize() for word in name.split("_"))
    source = (TEMPLATES / f"plugin_{plural}.txt").read_text(encoding="utf-8")
    if iskeyword(class_name) or re.search(rf"\b{class_name}\b", source):
        raise UsageError(f"the file would have another {class_name} already", hint="Use another name.")
    if name in _base_of(plural).built_in_names():
        raise UsageError(f"the {registry.KINDS[plural]} {quote(name)} is built in", hint="Use another name.")
    taken = [entry for entry in registry.entries(plural) if entry.name == name]
    if taken:
        packages = join_quoted([entry.dist.name for entry in taken if entry.dist is not None])
        raise UsageError(f"{packages} has the {registry.KINDS[plural]} {quote(name)}", hint="Use another name.")
    package = f"nncli-{name.replace('_', '-')}"
    folder, module = Path(output or package), f"nncli_{name}"
    if folder.exists():
        raise UsageError("this exists already", location=Location(source=str(folder)), hint="Name another folder.")
    parts = [(plural, name, class_name)]
    if plural == "targets":  # a kind of target needs a loss
        parts.append(("losses", f"{name}_loss", f"{class_name}Loss"))
    entries = "".join(
        f'[project.entry-points."nncli.{of}"]\n{part} = "{module}:{value}"\n\n' for of, part, value in parts
    )
    words = {
        "PACKAGE": package,
        "MODULE": module,
        "NAMES": repr([part for _, part, _ in parts]).replace("'", '"'),
        "NAME": name,
        "CLASS": class_name,
        "TITLE": name.replace("_", " "),
        "NOUN": registry.KINDS[plural],
        "ENTRIES\n": entries,
    }
    pattern = re.compile("|".join(words))
    for file, template in (
        ("pyproject.toml", "pyproject"),
        ("README.md", "readme"),
        (f"{module}.py", plural),
        (f"tests/test_{name}.py", "test"),
    ):
        text = (TEMPLATES / f"plugin_{template}.txt").read_text(encoding="utf-8")
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(pattern.sub(lambda match: words[match[0]], text), encoding="utf-8")
    return folder


def _base_of(kind: str) -> Any:
    """The class that parts of a kind are derived from."""
    for module in HOMES:
        import_module(f"nncli.{module}")
    waiting: list[Any] = [Spec, registry.NamedPart]
    while vars(cls := waiting.pop()).get("plugin_kind") != kind:
        waiting += cls.__subclasses__()
    return cls
