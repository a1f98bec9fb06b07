"""The interface of the export formats of `nncli export`: what prints a program, and what runs the file.

The formats are parts of nncli/integrations and of plugins; see docs/extending.md.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import ClassVar, Protocol, cast

import polars as pl

from nncli.base.errors import extra_required
from nncli.base.plugins import NamedPart
from nncli.nn.program.program import Program


class Runner(Protocol):
    """A module that runs an exported file in the runtime that it is for."""

    def missing(self) -> str | None:
        """What has to be installed before a file can be run, such as `install nodejs`; None if nothing."""

    def run(self, file: Path, rows: pl.DataFrame) -> pl.DataFrame:
        """The outputs of a file for rows, with the columns that `nncli predict` prints.

        `rows` are the feature columns as predict reads them: numbers, text or dates, null where a cell is missing.

        Raises:
            ExportedFileError: the runtime refused the file, or a row.
        """


@dataclass(frozen=True)
class ExportFormat(NamedPart):
    """A target: its name, the suffixes of its files, the usual one first, and the `runtime` that checks them.

    `printer` is the path of a function of a program and the information about its model, which returns the content of
    the file, as bytes or text; `runner` is the path of a Runner. Numbers of the runtime may differ from those of
    `nncli predict` by up to `max_ulp` units in the last place of float32. Both may need an `extra` of the package.
    """

    plugin_kind: ClassVar[str] = "exports"

    name: str
    suffixes: tuple[str, ...]
    runtime: str
    max_ulp: int
    printer: str
    runner: str
    extra: str | None = None

    @property
    def suffix(self) -> str:
        """The usual suffix of its files."""
        return self.suffixes[0]

    def content(self, program: Program, info: ModelInfo) -> bytes:
        """The content of the file.

        Raises:
            UsageError: the target cannot express the program.
        """
        module, _, function = self.printer.rpartition(".")
        print_program = cast("Callable[[Program, ModelInfo], str | bytes]", getattr(self._imported(module), function))
        content = print_program(program, info)
        return content.encode() if isinstance(content, str) else content

    def load_runner(self) -> Runner:
        """What runs the files of the target."""
        return cast("Runner", self._imported(self.runner))

    def _imported(self, module: str) -> ModuleType:
        """A module, imported only where it is used; UsageError with the extra that it needs."""
        with (
            nullcontext()
            if self.extra is None
            else extra_required(self.extra, f"the export to {self.name} needs a package that is not installed")
        ):
            return import_module(module)


@dataclass(frozen=True)
class ModelInfo:
    """The name of the run, the SHA-256 checksum of its manifest, and the version of nncli that exported it."""

    name: str
    checksum: str
    nncli_version: str
