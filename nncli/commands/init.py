"""`nncli init`: a table and a target in, a configuration out that says what was found and decided, and why."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from nncli.autoconfig.table_summary import TableSummary, summarize_table
from nncli.autoconfig.yaml_draft import doubt, draft_config
from nncli.config.loading import build_config
from nncli.config.overrides import apply_overrides
from nncli.config.schema import Config
from nncli.config.schema_file import editor_line
from nncli.config.yaml.document import Document
from nncli.config.yaml.parser import parse
from nncli.data.io.formats import SPREADSHEETS, SUFFIXES, suffix_of
from nncli.data.profile import ColumnProfile
from nncli.data.store.scratch import existing_parent
from nncli.errors import Location, UsageError
from nncli.pipeline.prepare.notes import constant_target
from nncli.text import join_quoted, json_safe, quote
from nncli.utils.atomic_files import check_overwrite, write_text

Preset = Literal["tabular", "textbook"]
Quality = Literal["fast", "balanced", "best"]


FEWEST = 10
"""Rows below which a training fails, as each of an ensemble's folds needs some, or learns next to nothing."""
ADD_ROWS = "Add rows; to try it nevertheless, set quality: fast and validation: 0."


@dataclass(frozen=True)
class InitResult:
    """A configuration to begin with: its YAML, and what the person is to be told of it.

    `look` is what was found of the table; `read` is how it was read, which a training from it tells too; `decided` is
    what the YAML adds. `doubts` are of columns that are likely to be taken amiss, with the way to mend them, `reasons`
    why little can be learnt at all.
    """

    text: str
    look: TableSummary
    read: tuple[str, ...]
    decided: tuple[str, ...]
    doubts: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()

    @property
    def notes(self) -> tuple[str, ...]:
        """All that is to be told, but for the doubts."""
        return (*self.read, *self.decided)

    def json(self) -> dict[str, Any]:
        """What was found of each column, and the YAML; null is what is not known, or not a finite number."""
        look = self.look
        kept = {column.name: column for column in look.kept}
        return {
            "data": look.data.path,
            "rows": look.rows,
            "table_rows": look.table_rows,
            "task": look.task,
            "columns": [
                *(_column(column, "target") for column in look.targets),
                *(
                    _column(kept.get(column.name, column), "feature" if column.name in kept else "left out")
                    for column in look.columns
                ),
            ],
            "missing_values": list(look.data.missing_values),
            "thousands": look.data.thousands,
            "notes": list(self.notes),
            "warnings": [*self.reasons, *self.doubts],
            "yaml": self.text,
        }


def _column(found: ColumnProfile, use: str) -> dict[str, Any]:
    """A column, and what it is used as."""
    figures = {"lowest": found.lowest, "highest": found.highest, "mean": found.mean, "median": found.median}
    return {
        "name": found.name,
        "use": use,
        "kind": found.kind,
        "holds": found.label,
        "rows": found.rows,
        "missing": found.missing,
        "unit": found.unit,
        "distinct": found.distinct,
        "commonest": [{"value": value, "count": count} for value, count in found.top_values],
        **json_safe(figures),
        "reason": found.reason if use == "left out" else "",
        "trouble": None if found.error is None else found.error.message,
    }


def init(
    data: str | Path,
    target: str | Sequence[str],
    *,
    preset: Preset | None = None,
    quality: Quality | None = None,
    assignments: Sequence[str] = (),
    output: str | Path | None = None,
    force: bool = False,
) -> str:
    """Look at a table and return the YAML of a configuration that trains on it, with the reasons in comments.

    Args:
        data: a file: CSV (also .gz), TSV, Parquet or JSON lines.
        target: the column to predict, or several of numbers.
        preset: the settings to begin with; default: tabular.
        quality: of the preset tabular: one network, an ensemble, or a larger one.
        assignments: further keys, such as `data.separator=;` or `epochs=10`.
        output: the file to write the YAML to, if any. Paths in it are relative to its folder, or else to the working
            directory.
        force: replace an existing file.

    Raises:
        UsageError: there is no target, the table is no file, the output exists, or quality is asked of textbook.
        ConfigError: an assignment is wrong.
        DataError: the table cannot be read, or does not have the target, or nothing to predict it from.
    """
    return begin(data, target, preset=preset, quality=quality, assignments=assignments, output=output, force=force).text


def begin(
    data: str | Path,
    target: str | Sequence[str],
    *,
    preset: Preset | None = None,
    quality: Quality | None = None,
    assignments: Sequence[str] = (),
    output: str | Path | None = None,
    force: bool = False,
) -> InitResult:
    """As `init`, with what is to be told."""
    if preset == "textbook" and quality is not None:
        raise UsageError("only the preset tabular comes in qualities", hint="Leave --quality out.")
    stands = None if output is None else Path(output)
    if stands is not None:
        check_overwrite(stands, force=force)
    table = Path(data)
    found = summarize_table(
        table,
        [target] if isinstance(target, str) else target,
        assignments,
        None if stands is None else existing_parent(stands),
    )
    extra = apply_overrides(Document({}, {}, "nncli init", ()), assignments).value
    text = draft_config(
        found,
        path=_seen_from(Path.cwd() if stands is None else stands.resolve().parent, table),
        name=_stem(table),
        preset=preset,
        quality=quality,
        extra={key: value for key, value in extra.items() if key != "data"},
        # Editors take what is in the first line, and a file on this machine is there without a network. Who reads
        # the text from a pipe is no editor, and need not be told where nncli is installed.
        heading=[] if stands is None else [editor_line()],
        to_train=None if output is None else f"nncli train {shlex.quote(str(output))}",
    )
    if stands is not None:
        write_text(stands, text)
    return InitResult(text, found, found.notes, _decided(found), _doubts(found), _reasons(found))


def is_a_table(argument: str, target: Sequence[str]) -> bool:
    """Whether what `nncli train` is given is a table: it is named like one, or a target goes with it.

    Raises:
        UsageError: a target goes with what is a configuration.
    """
    if not target:
        suffix = suffix_of(Path(argument))
        return (suffix in SUFFIXES and suffix != ".txt") or suffix in SPREADSHEETS  # .txt says nothing
    if argument == "-":
        raise UsageError(
            "--target goes with the name of a table, and a configuration has a target of its own",
            place=Location(source="standard input"),
            hint="A table is read more than once: write it to a file first, and name that. "
            "In a configuration, or with --set, the target is data.target.",
        )
    if Path(argument).suffix.lower() in (".yaml", ".yml"):
        raise UsageError(
            "--target goes with a table; a configuration names its own",
            place=Location(source=argument),
            hint=f"Put {quote(target[0])} into the file as data.target, or use --set data.target=….",
        )
    return True


def config_for(
    data: str | Path, target: str | Sequence[str], assignments: Sequence[str] = ()
) -> tuple[Config, InitResult]:
    """The configuration that `init` would write for a table, with the assignments, and what is to be told of it.

    Raises:
        UsageError, ConfigError, DataError: as `init`.
    """
    begun = begin(data, target, assignments=[text for text in assignments if text.lstrip().startswith("data.")])
    document = parse(begun.text, f"nncli init {data}")
    config = build_config(document, assignments, os.environ, folder=Path.cwd(), name=_stem(Path(data)))
    return config, begun


def _seen_from(folder: Path, table: Path) -> str:
    """The path of the table, relative to the folder wherever that can be."""
    path = table.parent.resolve() / table.name
    try:
        seen = os.path.relpath(path, folder)
    except ValueError:  # on another drive
        seen = str(path)
    try:
        seen.encode()
    except UnicodeEncodeError:
        raise UsageError(
            "the file's name is no Unicode text, which a configuration is",
            place=Location(source=str(table)),
            hint="Rename the file.",
        ) from None
    return Path(seen).as_posix()


def _stem(table: Path) -> str:
    """`train` for train.csv.gz."""
    name = table.with_suffix("") if table.suffix.lower() == ".gz" else table
    return name.name.removesuffix(name.suffix) if suffix_of(table) else name.name


def _decided(found: TableSummary) -> tuple[str, ...]:
    """Choices that a user should know without reading the YAML."""
    plain = [column for column in found.dropped if not _is_in_doubt(column)]
    reasons = dict.fromkeys(column.reason for column in plain)
    are = "is" if len(found.words) == 1 else "are"
    return (
        *([f"{join_quoted(found.words)} {are} read as missing"] if found.words else []),
        *([f"{quote(found.data.thousands)} is read as the thousands separator"] if found.grouped else []),
        *(
            f"dropped {join_quoted(column.name for column in plain if column.reason == reason)}: {reason}"
            for reason in reasons
        ),
    )


def _reasons(found: TableSummary) -> tuple[str, ...]:
    """Reasons why training will fail or learn nothing."""
    constant = [target for target in found.targets if target.distinct == 1 < found.rows]
    few = "is only 1 row" if found.rows == 1 else f"are only {found.rows:,} rows"
    return (
        *(". ".join(constant_target(target.name, target.top_values[0][0])) for target in constant),
        *([f"there {few} for training and validation. {ADD_ROWS}"] if found.rows < FEWEST else []),
    )


def _is_in_doubt(column: ColumnProfile) -> bool:
    """Whether a column is dropped because training would fail on it."""
    return column.error is not None and column.reason == column.error.message


def _doubts(found: TableSummary) -> tuple[str, ...]:
    """Columns that may be read as the wrong kind or dropped by mistake."""
    left_out = [column for column in found.dropped if _is_in_doubt(column)]
    return (
        *(f"{quote(column.name)} is dropped: {doubt(column)}" for column in left_out),
        *(f"{quote(column.name)} is read as categorical: {doubt(column)}" for column in found.ambiguous),
    )
