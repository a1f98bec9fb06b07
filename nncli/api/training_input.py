"""What a training, a cross-validation, a search or a check begins with: a configuration, or a table and a target."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nncli.api.options import TrainingInputOptions
from nncli.base.errors import Advice, Location, SetKey, UsageError
from nncli.base.findings import Finding
from nncli.base.scratch import existing_parent
from nncli.config.loading import LoadedConfig, load, load_document
from nncli.config.overrides import PREFIX
from nncli.config.schema import Config
from nncli.config.yaml.parser import parse
from nncli.config.yaml.writer import dump_scalar
from nncli.data.formats.registry import SPREADSHEETS, ZIP, format_of_suffix, suffix_of
from nncli.data.sources.files.several_files import names_several
from nncli.data.sources.local_copies import local_copies
from nncli.data.sources.open import open_original
from nncli.data.sources.table_source import TableLocation, as_source

if TYPE_CHECKING:
    from nncli.api.init import InitResult

YAML_SUFFIXES = (".yaml", ".yml")


@dataclass(frozen=True)
class Drafted:
    """A configuration was drafted for a table, as `nncli init` does with the words `arguments`."""

    arguments: tuple[str, ...]
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class TrainingInput:
    """A configuration, or its path, with `assignments` still to be applied.

    The `findings` are about the table for which it was drafted.
    """

    config: Config | str | Path
    assignments: Sequence[str] = ()
    findings: tuple[Finding, ...] = ()

    def load(self) -> LoadedConfig | Config:
        """The configuration with the assignments, and those of the environment if it is a file.

        Raises:
            ConfigError: it is invalid.
        """
        if isinstance(self.config, Config):
            return self.config
        return load(self.config, self.assignments, os.environ)


def resolve_input(config: Config | str | Path, options: TrainingInputOptions) -> TrainingInput:
    """Resolve a configuration, its path or a table to what is trained; `on_draft` is called for a table.

    Raises:
        UsageError: a target is given with a configuration, or an option for a path with a Config.
        ConfigError, DataError: no configuration can be drafted for the table.
    """
    if isinstance(config, Config):
        if options.assignments or options.target or options.quality or options.words:
            raise UsageError("set goes with the path of a configuration, not with a Config")
        return TrainingInput(config)
    path, quality = str(config), [] if options.quality is None else [f"quality={options.quality}"]
    assignments = [*options.assignments, *options.source_assignments, *quality]
    if not is_table(path, options.target):
        return TrainingInput(config, assignments)
    drafted, result = config_for(path, options.target, assignments)
    options.on_draft(Drafted(options.arguments(path), result.decisions))
    return TrainingInput(drafted, (), result.decisions)


@contextmanager
def copied_table(config: object, options: TrainingInputOptions, output: str | Path | None = None) -> Iterator[None]:
    """Within the block, read a distant table or a pipe, for which a configuration is drafted, from one copy.

    It is near `output`. The draft, the training and its report read the table, each more than once.

    Raises:
        DataError: the table cannot be read.
    """
    if not isinstance(config, str) or not options.target or (config != "-" and "://" not in config):
        yield
        return
    with local_copies([options.source(config)], open_original, existing_parent(Path(output or "runs/model"))):
        yield


def is_table(argument: str, target: Sequence[str]) -> bool:
    """Whether the argument of `nncli train` is a table: by its file name, or because a target is given.

    Raises:
        UsageError: a target is given with a configuration.
    """
    if not target:
        if as_source(argument).scheme is not None:
            return True
        if argument != "-" and names_several(argument):
            return not _has_configurations(argument)
        suffix = suffix_of(Path(argument))
        if suffix in (*YAML_SUFFIXES, ".txt"):  # .txt may be either
            return False
        return suffix in (*SPREADSHEETS, ZIP) or format_of_suffix(suffix) is not None
    if Path(argument).suffix.lower() in YAML_SUFFIXES:
        raise UsageError(
            Advice(TrainingInputOptions.use("target"), " needs a table, not a configuration"),
            location=Location(source=argument),
            hint=Advice("Use instead ", SetKey("data.target", dump_scalar(target[0])), "."),
        )
    return True


def _has_configurations(path: str) -> bool:
    """Whether a path is that of a folder with configurations, which tables are not kept beside."""
    folder = Path(path)
    return folder.is_dir() and any(file.suffix.lower() in YAML_SUFFIXES for file in folder.iterdir())


def config_for(
    data: TableLocation, target: str | Sequence[str], assignments: Sequence[str] = ()
) -> tuple[Config, InitResult]:
    """The configuration that `init` writes for a table, with the assignments, and its notes and warnings.

    Raises:
        UsageError, ConfigError, DataError: as `init`.
    """
    from nncli.api.init import draft, stem_of

    of_data = [text for text in assignments if text.lstrip().startswith("data.")]
    of_loss = [text for text in assignments if text.lstrip().startswith("loss")]  # which may name columns
    result = draft(data, target, set=[*of_data, *of_loss])
    source = as_source(data)
    document = parse(result.text, f"nncli init {source.path}")
    # The draft has the keys of data merged with what the table shows; set again, they would replace its lists.
    keys = (text.partition("=")[0].strip().removesuffix("+") for text in of_data)
    variables = {PREFIX + key.replace(".", "__").upper() for key in keys}
    environment = {name: text for name, text in os.environ.items() if name not in variables}
    others = [text for text in assignments if text not in of_data]
    folder, name = Path.cwd(), stem_of(source)
    config = load_document(document, others, environment, folder=folder, name=name, loads_code=True).config
    return config, result
