"""Plugins: parts of nncli that installed packages and files of code add, such as a loss or a metric.

A part is a class, or a value, with a `plugin_kind`. A package names it in the group of entry points of its kind:

    [project.entry-points."nncli.losses"]
    focal = "acme_losses:Focal"

nncli itself has parts of this form, in nncli/integrations: they are built in, and found without a search. Packages are
searched only for a name that is not built in, so that a start costs nothing. A file of code is executed only if a
person names it; a run names the files that it needs, and never executes one by itself.
"""

from __future__ import annotations

import copyreg
import hashlib
import inspect
import os
import pickle
import re
import shlex
import sys
import threading
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path, PurePath
from types import FrameType, MappingProxyType, ModuleType
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from nncli.base.errors import Advice, Location, NncliError, RunError, UsageError, UseOption
from nncli.base.regular_files import read_regular
from nncli.base.text import join_quoted, quote

if TYPE_CHECKING:
    from importlib.metadata import Distribution, EntryPoint

KINDS = MappingProxyType(
    {
        "layers": "layer",
        "activations": "activation",
        "losses": "loss",
        "optimizers": "optimizer",
        "schedules": "schedule",
        "metrics": "metric",
        "encoders": "column kind",
        "targets": "kind of target",
        "sources": "table source",
        "formats": "file format",
        "exports": "export format",
        "trackers": "tracker",
        "samplers": "sampler",
        "commands": "command",
    }
)
"""The kinds of parts, with what a part of each is called; `nncli.KIND` is the group of entry points."""
ALLOWED, TRUST = "NNCLI_PLUGINS", "NNCLI_TRUST_CODE"
"""The variables of the environment: the packages that may have plugins, and whether code in runs is executed."""
THIS_PACKAGE = "nncli-train"
MODULE = "nncli_code_"
LARGEST_CODE = 1 << 24
"""Bytes of a file of code at most."""
CODE_FOLDER = "code"
"""The folder of a run that has copies of files of code."""


class PluginWarning(UserWarning):
    """A plugin cannot be used, and everything else can."""


class PluginError(NncliError):
    """Code of a plugin raised an exception; the location is its line."""


E = TypeVar("E", bound=StrEnum)
A = TypeVar("A")
R = TypeVar("R")


class NamedPart:
    """Base of parts that are a value with a `name`, and no specification."""

    plugin_kind: ClassVar[str]
    built_in: ClassVar[frozenset[str]] = frozenset()
    """The names of nncli's own parts, which the module that lists them adds; not of those in nncli/integrations."""

    @classmethod
    def built_in_names(cls) -> frozenset[str]:
        """The names that are built in, which no plugin can have."""
        return cls.built_in | frozenset(integrations(cls.plugin_kind))


@dataclass(frozen=True)
class Command(NamedPart):
    """A command: a function with annotations as Typer reads them. The first line of its docstring is its help."""

    plugin_kind: ClassVar[str] = "commands"

    name: str
    function: Callable[..., object]


@dataclass(frozen=True)
class Plugin:
    """A part of a package, or of a file of code with its SHA-256; `path` is that of the object in its module."""

    kind: str
    name: str
    path: str
    package: str = ""
    version: str = ""
    file: Path | None = None
    sha256: str = ""

    @property
    def origin(self) -> str:
        """Where the part is from, as the end of a sentence."""
        return f"the package {self.package}" if self.file is None else f"the file {self.file}"

    @property
    def noun(self) -> str:
        """What the part is, with its name."""
        return f"the {KINDS[self.kind]} {quote(self.name)}"


def part_of(value: object) -> tuple[str, str] | None:
    """The kind and the name of a part; None for anything else, such as the base class of parts."""
    cls = value if isinstance(value, type) else type(value)
    kind = getattr(cls, "plugin_kind", None)
    if not isinstance(kind, str) or kind not in KINDS:
        return None
    if cls is not value:
        name = getattr(value, "name", None)
    else:
        fields = getattr(cls, "model_fields", {})
        name = getattr(fields.get("task" if kind == "targets" else "type"), "default", None)
    return (kind, name) if isinstance(name, str) and name else None


_parts: dict[str, dict[str, Any]] = {kind: {} for kind in KINDS}
_plugins: dict[tuple[str, str], Plugin] = {}
_failed: dict[tuple[str, str, str], str] = {}
_files: dict[Path, str] = {}
_contents: dict[str, bytes] = {}
_members: set[tuple[type[StrEnum], str]] = set()
_warned: set[Plugin] = set()
_named: set[tuple[str, str]] = set()
"""The parts that were asked for by their names, as a configuration does."""
_lock = threading.RLock()
_thread = threading.local()
"""`is_executing` says whether this thread executes a file of code."""


@cache
def _entries(allowed: str | None) -> tuple[EntryPoint, ...]:
    """The entry points of all packages that may have plugins."""
    from importlib.metadata import distributions  # slow to import, and most commands need none

    names = None if allowed is None else {THIS_PACKAGE, *(_package_key(name) for name in re.split(r"[,\s]+", allowed))}
    packages: dict[str, Distribution] = {}
    for distribution in distributions():  # the first of a name is the one that is imported
        if "nncli." in (distribution.read_text("entry_points.txt") or ""):  # the other metadata take long to read
            packages.setdefault(_package_key(distribution.name or ""), distribution)
    return tuple(
        entry
        for name, distribution in sorted(packages.items())
        if names is None or name in names
        for entry in distribution.entry_points
        if entry.group.startswith("nncli.") and entry.group.removeprefix("nncli.") in KINDS
    )


@cache
def _integrations() -> tuple[EntryPoint, ...]:
    """The entry points of nncli itself."""
    from importlib.metadata import PackageNotFoundError, distribution

    try:
        return tuple(entry for entry in distribution(THIS_PACKAGE).entry_points if entry.group.startswith("nncli."))
    except PackageNotFoundError:  # nncli is a folder that is not installed
        return ()


def integrations(kind: str) -> dict[str, EntryPoint]:
    """The entry points of parts of a kind that nncli itself has, by name."""
    return {entry.name: entry for entry in _integrations() if entry.group == f"nncli.{kind}"}


def load_integrations(kind: str) -> dict[str, Any]:
    """The parts of a kind that nncli itself has, loaded, by name."""
    return {name: part for name in integrations(kind) if (part := find(kind, name)) is not None}


def _package_key(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _package(entry: EntryPoint) -> str:
    return "" if entry.dist is None else entry.dist.name


def entries(kind: str | None = None) -> tuple[EntryPoint, ...]:
    """The entry points of parts of a kind, or of all kinds, in packages that may have plugins."""
    every = _entries(os.environ.get(ALLOWED))
    return tuple(entry for entry in every if kind is None or entry.group == f"nncli.{kind}")


def new_member(cls: type[E], value: str) -> E:
    """A member that an enumeration of texts has from now on, for the part of that name."""
    member = str.__new__(cls, value)
    member._name_, member._value_ = value.upper(), value
    cls._value2member_map_[value] = member
    _members.add((cls, value))
    return member


def installed() -> tuple[EntryPoint, ...]:
    """The entry points of all packages, also of those that may have no plugins."""
    return _entries(None)


def names(kind: str) -> tuple[str, ...]:
    """The names of parts of a kind that plugins have, loaded or not."""
    return tuple(sorted({*loaded(kind), *(entry.name for entry in entries(kind))}))


def loaded(kind: str) -> dict[str, Any]:
    """The parts of a kind that are loaded, by name; the same object each time."""
    return _parts.get(kind, {})


def plugin(kind: str, name: str) -> Plugin | None:
    """Where a part that is loaded is from; None for a part that is built in."""
    return _plugins.get((kind, name))


def plugins() -> tuple[Plugin, ...]:
    """The parts that are loaded."""
    return tuple(_plugins.values())


def load_all(kind: str) -> dict[str, Any]:
    """Load every part of a kind that packages have, and return all that are loaded."""
    for entry in entries(kind):
        find(kind, entry.name)
    return loaded(kind)


def find(kind: str, name: object) -> Any | None:
    """The part of a name that is not built in, loaded if a package has it; None if there is none.

    A package whose part cannot be loaded is warned of once, and skipped.

    Raises:
        UsageError: two packages have a part of this name.
    """
    if not isinstance(name, str):
        return None
    if name not in _parts[kind]:
        entry = integrations(kind).get(name) or _entry(kind, name)
        if entry is not None:
            load_entry(entry)
    part = _parts[kind].get(name)
    if part is not None:
        _named.add((kind, name))
    return part


def named_files() -> tuple[Path, ...]:
    """The files of code that have a part which was asked for by its name."""
    files = {about.file for key, about in _plugins.items() if key in _named and about.file is not None}
    return tuple(sorted(files))


def _entry(kind: str, name: str) -> EntryPoint | None:
    """The entry point of a part; UsageError if several packages have one."""
    same = [entry for entry in entries(kind) if entry.name == name]
    if len(same) > 1:
        packages = [_package(entry) for entry in same]
        raise UsageError(
            f"the packages {join_quoted(packages)} both have the {KINDS[kind]} {quote(name)}",
            hint=f"Uninstall one of them, or allow one: {ALLOWED}={packages[0]}",
        )
    return same[0] if same else None


def load_entry(entry: EntryPoint) -> str | None:
    """Load the part of an entry point; the reason if it cannot be loaded, which is warned of once."""
    kind, package = entry.group.removeprefix("nncli."), _package(entry)
    key = (kind, entry.name, package)
    if entry.name in _parts[kind]:
        return None
    if key not in _failed:
        try:
            value = entry.load()
            if part_of(value) != (kind, entry.name):
                raise TypeError(f"{entry.value} is no {KINDS[kind]} with the name {entry.name}")
            if _package_key(package) == THIS_PACKAGE:
                _parts[kind][entry.name] = value
                return None
            _check_part(value, f"the package {package}")
            version = "" if entry.dist is None else entry.dist.version
            _register(value, Plugin(kind, entry.name, entry.value, package, version))
        except (Exception, SystemExit) as error:  # whatever somebody's package raises
            first_line = (str(error).splitlines() or [""])[0]
            _failed[key] = f"{type(error).__name__}: {first_line}" if not isinstance(error, NncliError) else first_line
            about = f"the {KINDS[kind]} {quote(entry.name)} of the package {package} is skipped: {_failed[key]}"
            warnings.warn(about, PluginWarning, stacklevel=2)
    return _failed.get(key)


def _register(value: Any, about: Plugin) -> None:
    """Add a part, unless its name is built in or another package or file has it."""
    key = (about.kind, about.name)
    before = _plugins.get(key)
    if before is not None and (before.package, before.file) != (about.package, about.file):
        raise UsageError(
            f"{about.noun} is in {before.origin} and in {about.origin}", hint="Rename one, or leave one out."
        )
    _parts[about.kind][about.name], _plugins[key] = value, about
    if isinstance(value, type):
        copyreg.pickle(type(value), _reduce)


def _check_part(value: Any, origin: str) -> None:
    """Raise a UsageError if the name of a part is built in, or if its class is abstract."""
    kind, name = part_of(value) or ("", "")
    cls: Any = value if isinstance(value, type) else type(value)
    if name in cls.built_in_names():
        raise UsageError(f"the {KINDS[kind]} {quote(name)} is built in, and {origin} has one too", hint="Rename it.")
    if inspect.isabstract(value):
        lacks = ", ".join(sorted(value.__abstractmethods__))
        raise UsageError(f"the {KINDS[kind]} {quote(name)} of {origin} lacks {lacks}", hint="Define what it lacks.")


def _reduce(cls: type) -> str | tuple[Callable[..., Any], tuple[Any, ...]]:
    """A class as processes exchange it: by package or file, never by its code."""
    part = part_of(cls)
    about = _plugins.get(part) if part is not None and _parts[part[0]].get(part[1]) is cls else None
    return cls.__qualname__ if about is None else (restore, (about,))


def restore(about: Plugin) -> Any:
    """The part that another process has.

    Raises:
        UsageError: its file or package is missing here, or is another one.
    """
    if about.file is not None:
        load_file(about.file, about.sha256)
    part = find(about.kind, about.name)
    if part is None:
        raise UsageError(f"{about.noun} of {about.origin} is missing here", hint=install_hint(about))
    return part


def install_hint(about: Plugin) -> str:
    """How the package or file of a part is made available."""
    return f"pip install {about.package}=={about.version}" if about.file is None else f"Provide the file {about.file}."


def load_code(code: Iterable[object]) -> None:
    """Load files of code, and parts that are given themselves, whose files other processes load.

    Raises:
        UsageError: a file cannot be read or executed, has no part, or has a name that is taken; a part has no file; a
            file that is being executed begins other work.
    """
    if getattr(_thread, "is_executing", False):
        raise UsageError(
            "a file of code begins other work while it is loaded", hint="Put that under if __name__ == '__main__':"
        )
    for item in code:
        if isinstance(item, str | Path):
            load_file(item)
            continue
        part = part_of(item)
        if part is None:
            raise UsageError(f"{item!r} is no part of nncli", hint="Derive it from a class of nncli.extend.")
        home = item if isinstance(item, type) else getattr(item, "function", type(item))
        try:
            file = Path(inspect.getsourcefile(home) or "").resolve(strict=True)
            content = read_regular(file, LARGEST_CODE)
        except (OSError, TypeError) as error:
            hint = "Write it to a file, and give its path: other processes and later predictions load it from there."
            raise UsageError(f"{quote(part[1])} has no file", hint=hint) from error
        digest = hashlib.sha256(content).hexdigest()
        _check_part(item, f"the file {file}")
        with _lock:
            _refuse_same_name(file, digest)
            _register(item, Plugin(*part, part[1], file=file, sha256=digest))
            _files[file], _contents[digest] = digest, content


def load_file(path: str | Path, sha256: str | None = None) -> tuple[Plugin, ...]:
    """Execute a file of code once, and add its parts.

    Raises:
        UsageError: it cannot be read or executed, has no part or a name that is taken, or is not the one of `sha256`.
    """
    file = Path(path).resolve()
    try:
        # The copy in a run is no link; a person may name a file by one.
        content = read_regular(file if sha256 is None else Path(path), LARGEST_CODE)
    except OSError as error:
        where = Location(source=str(path))
        raise UsageError(f"the file of code cannot be read: {error.strerror or error}", location=where) from error
    digest = hashlib.sha256(content).hexdigest()
    if sha256 is not None and digest != sha256:
        raise UsageError("the file of code is another one than before", location=Location(source=str(path)))
    with _lock:  # two threads execute it once
        return _of_content(digest) or _execute(file, content, digest, str(path))


def _of_content(digest: str) -> tuple[Plugin, ...]:
    """The parts of a content of a file of code that are loaded."""
    return tuple(about for about in _plugins.values() if about.sha256 == digest)


def _execute(file: Path, content: bytes, digest: str, source: str) -> tuple[Plugin, ...]:
    """Execute a file of code, and add its parts; errors are located in `source`."""
    if _files.get(file, digest) != digest:
        _forget(file)
    module = ModuleType(name := f"{MODULE}{digest[:16]}")
    module.__file__, sys.modules[name] = str(file), module
    try:
        _refuse_same_name(file, digest)
        _thread.is_executing = True
        try:
            exec(compile(content, str(file), "exec"), vars(module))
        finally:
            _thread.is_executing = False
        parts = [(part, value) for value in vars(module).values() if (part := _part_here(value, name)) is not None]
        by_part = dict(parts)
        if twice := [f"{KINDS[part[0]]} {quote(part[1])}" for part, value in parts if by_part[part] is not value]:
            raise UsageError(f"the file of code has the {twice[0]} twice", hint="Rename one.")
        if not parts:
            hint = "A part is a class derived from one of nncli.extend, with a `type`, or a Metric."
            raise UsageError("the file of code has no part of nncli", hint=hint)
        for _, value in parts:
            _check_part(value, "this file")
        for (kind, of_part), value in parts:
            _refuse_installed(kind, of_part, file)
            _register(value, Plugin(kind, of_part, of_part, file=file, sha256=digest))
    except BaseException as error:
        del sys.modules[name]
        _forget(file)
        if isinstance(error, NncliError):
            error.location = error.location or Location(source=source)
        if isinstance(error, NncliError) or not isinstance(error, Exception | SystemExit):
            raise
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(file)]
        line = error.lineno if isinstance(error, SyntaxError) else frames[-1].lineno if frames else None
        text = (str(error).splitlines() or [""])[0]
        message = f"the file of code cannot be executed: {type(error).__name__}: {text}"
        raise UsageError(message, location=Location(source=source, line=line)) from error
    _files[file], _contents[digest] = digest, content
    return _of_content(digest)


def _refuse_same_name(file: Path, digest: str) -> None:
    """Raise a UsageError if another file of this name is loaded: a run keeps its copies by their names."""
    for other, sha256 in _files.items():
        if other != file and other.name.casefold() == file.name.casefold() and sha256 != digest:
            raise UsageError(f"the files {other} and {file} have the same name", hint="Rename one.")


def _part_here(value: object, module: str) -> tuple[str, str] | None:
    """The kind and name of a part that is defined in a module, not imported into it."""
    return None if isinstance(value, type) and value.__module__ != module else part_of(value)


def _refuse_installed(kind: str, name: str, file: Path) -> None:
    entry = _entry(kind, name)
    if entry is not None:
        message = f"the {KINDS[kind]} {quote(name)} is in the file {file} and in the package {_package(entry)}"
        raise UsageError(message, hint=f"Rename one, or leave the package out: {ALLOWED}=")


def _forget(file: Path) -> None:
    """Forget the parts of a file that has changed."""
    for key in [key for key, about in _plugins.items() if about.file == file]:
        del _plugins[key], _parts[key[0]][key[1]]
        _drop_members(key[1])
    _files.pop(file, None)


def _drop_members(name: str | None = None) -> None:
    """Forget the members of enumerations for the parts of a name, or for all: they are asked for again."""
    for cls, value in [*_members]:
        if name in (None, value):
            cls._value2member_map_.pop(value, None)
            _members.discard((cls, value))


def content_of(sha256: str) -> bytes:
    """The content of a file of code that is loaded."""
    return _contents[sha256]


def reset() -> None:
    """Forget everything that is loaded, and which packages are installed: tests begin with nothing."""
    _drop_members()
    kept: tuple[dict[Any, Any] | set[Any], ...] = (*_parts.values(), _plugins, _failed, _files, _contents, _warned)
    for values in (*kept, _named):
        values.clear()
    _entries.cache_clear()
    _integrations.cache_clear()


def portable(work: Callable[[A], R], job: A) -> tuple[Callable[..., R], tuple[Any, ...]]:
    """Work for another process, with its job, which loads the same plugins before it reads what they are.

    There, a UsageError says which one is missing.
    """
    if not _plugins:
        return work, (job,)
    return _loaded_work, (plugins(), pickle.dumps((work, job)))


def _loaded_work(needed: Iterable[Plugin], content: bytes) -> Any:
    for about in needed:
        restore(about)
    work, job = pickle.loads(content)
    with named_exceptions():  # their tracebacks stay in this process
        return work(job)


@contextmanager
def named_exceptions() -> Iterator[None]:
    """Raise an exception of code of a plugin as a PluginError."""
    try:
        yield
    except Exception as error:
        if (named := error_of_plugin(error)) is not None:
            raise named from error
        raise


def error_of_plugin(error: BaseException) -> PluginError | None:
    """What says of an exception in which plugin and line it was raised, and what the function was given.

    None if no code of a plugin took part, for errors of nncli and for a closed pipe.
    """
    if not _plugins or isinstance(error, NncliError | BrokenPipeError):
        return None
    frames = [(frame, line) for frame, line in traceback.walk_tb(error.__traceback__) if _parts_in(frame)]
    if not frames:
        return None
    frame, line = frames[-1]  # the innermost
    # A helper beside the class of a part is called by it.
    about = next((part for other, _ in reversed(frames) for part in _parts_in(other) if _is_within(part, other)), None)
    about = about or _parts_in(frame)[0]
    text = (str(error).splitlines() or [""])[0]
    given = ", ".join(f"{name}: {_outline(value)}" for name, value in _given(frame)) or "nothing"
    test = about.name if about.file is None else shlex.quote(str(about.file))
    return PluginError(
        f"{about.noun} of {about.origin} raised {type(error).__name__}: {text}\n"
        f"  {frame.f_code.co_qualname} was given {given}.",
        location=Location(source=frame.f_code.co_filename, line=line),
        hint=f"Correct it there, or tell its author. It is tested by: nncli plugins check {test}",
    )


def _parts_in(frame: FrameType) -> list[Plugin]:
    """The plugins whose file or package has the code of a frame."""
    file, package = frame.f_code.co_filename, str(frame.f_globals.get("__name__", "")).partition(".")[0]
    return [
        about
        for about in _plugins.values()
        if (str(about.file) == file if about.file is not None else re.split(r"[.:]", about.path)[0] == package)
    ]


def _is_within(about: Plugin, frame: FrameType) -> bool:
    """Whether a frame executes a method of the class of a part, or the function that it has."""
    part = _parts[about.kind][about.name]
    value = part if isinstance(part, type) else getattr(part, "function", None)
    return getattr(value, "__qualname__", None) == frame.f_code.co_qualname.partition(".")[0]


SHOWN_VALUES = 8


def _given(frame: FrameType) -> list[tuple[str, object]]:
    """The arguments of a function, or of one without any the variables of the function around it."""
    code, values = frame.f_code, frame.f_locals
    arguments = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    names = [name for name in arguments if name not in ("self", "cls")] or code.co_freevars
    return [(name, values[name]) for name in names if name in values][:SHOWN_VALUES]


def _outline(value: object) -> str:
    """A value in a few words: of an array its type and shape, of a table its rows."""
    kind, shape = type(value).__name__, getattr(value, "shape", None)
    if shape is not None and hasattr(value, "dtype"):
        return f"{value.dtype} array {shape}".lower()
    if shape is not None:
        return f"{kind} {shape}"
    if isinstance(value, str | PurePath):
        return quote(str(value))
    if value is None or isinstance(value, bool | int | float):
        return str(value)
    return f"{kind} of {len(value)}" if isinstance(value, Sized) else kind


def require(needed: Iterable[Plugin], folder: Path) -> None:
    """Check that the parts that the run in `folder` needs are loaded, or load them.

    Files are loaded from the run only where `NNCLI_TRUST_CODE=1` says so.

    Raises:
        RunError: a file is not loaded, or another one is, or a package is not installed; a newer
            nncli wrote the run.
    """
    for about in needed:
        where = Location(source=str(folder))
        if about.kind not in KINDS:
            message = (
                f"this run needs {quote(about.name)}, and was written by a newer nncli: there is no {about.kind} here"
            )
            raise RunError(message, location=where, hint="Install a newer nncli.")
        if about.file is None:
            find(about.kind, about.name)
            here = _plugins.get((about.kind, about.name))
            if here is None or _package_key(here.package) != _package_key(about.package):
                instead = "which is not available" if here is None else f"and {here.origin} has it here"
                message = f"this run needs {about.noun} of {about.origin} {about.version}, {instead}"
                raise RunError(message, location=where, hint=install_hint(about))
            if here.version != about.version and about not in _warned:
                _warned.add(about)
                message = (
                    f"this run has {about.noun} of {about.origin} {about.version}, and {here.version} is installed"
                )
                warnings.warn(message, PluginWarning, stacklevel=2)
            continue
        copy = folder / CODE_FOLDER / about.file.name
        here = _plugins.get((about.kind, about.name))
        if here is not None and here.sha256 == about.sha256:
            continue
        if here is not None:
            message = f"{about.noun} of {here.file or here.package} is another one than that of this run"
            raise RunError(message, location=where, hint=Advice("Use its file: ", UseOption("code", "code", str(copy))))
        if os.environ.get(TRUST) != "1":
            raise RunError(
                f"this run needs {about.noun} of {about.file.name}, and a run never executes code by itself",
                location=where,
                hint=Advice(
                    f"Read {copy}. If you trust it: ", UseOption("code", "code", str(copy)), f", or {TRUST}=1."
                ),
            )
        try:
            load_file(copy, about.sha256)
        except UsageError as error:
            raise RunError(error.message, location=error.location, hint=error.hint) from error


def used_in(*values: object) -> Iterator[Plugin]:
    """The plugins whose classes the specifications among the values have, also within them."""
    for value in values:
        if isinstance(value, list | tuple):
            yield from used_in(*value)
        elif isinstance(value, dict):
            yield from used_in(*value.values())
        elif hasattr(type(value), "model_fields"):
            part = part_of(type(value))
            if part is not None and part in _plugins and _parts[part[0]][part[1]] is type(value):
                yield _plugins[part]
            yield from used_in(*vars(value).values())
