"""`nncli init`: draft a configuration for a table and a target."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nncli.api.options import InitOptions
from nncli.base.atomic_files import check_overwrite, write_text
from nncli.base.errors import Advice, Location, SetKey, UsageError
from nncli.base.findings import Finding, FindingCode, Level, note, ordered, warning
from nncli.base.option import operation
from nncli.base.scratch import existing_parent
from nncli.base.text import join_quoted, json_safe, quote
from nncli.config.overrides import apply_overrides
from nncli.config.schema_file import editor_line
from nncli.config.yaml.document import Document
from nncli.data.formats.registry import ZIP, without_compression
from nncli.data.formats.streams import path_of
from nncli.data.profile import ColumnProfile
from nncli.data.sources.files.several_files import fixed_folder, names_several
from nncli.data.sources.table_source import TableLocation, TableSource, as_source
from nncli.fitting.checks.notes import constant_target
from nncli.fitting.draft import draft_config
from nncli.fitting.table_summary import TableSummary, summarize_table, unreadable_column

MIN_ROWS = 10
"""Rows below which a warning is given: the folds of an ensemble need some each."""
ADD_ROWS = Advice(
    *("Add rows, or train without validation rows: ", SetKey("quality", "fast"), " ", SetKey("validation", "0"))
)


@dataclass(frozen=True)
class InitResult:
    """A drafted configuration: its YAML, and the findings about the table.

    `decisions` are the notes and warnings on what the YAML adds and on columns and rows; `reading` are those on reading
    the table, which a training finds too.
    """

    text: str
    summary: TableSummary
    reading: tuple[Finding, ...]
    decisions: tuple[Finding, ...]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All findings, warnings first."""
        return ordered([*self.reading, *self.decisions])

    def _lines(self, level: Level) -> list[str]:
        return [finding.line for finding in self.findings if finding.level == level]

    def json(self) -> dict[str, Any]:
        """The columns and the YAML as a JSON object; None for what is unknown or not finite."""
        summary = self.summary
        kept = {column.name: column for column in summary.kept}
        return {
            "data": summary.data.path,
            "rows": summary.rows,
            "table_rows": summary.table_rows,
            "task": summary.task,
            "columns": [
                *(_column(column, "target") for column in summary.targets),
                *(
                    _column(kept.get(column.name, column), "feature" if column.name in kept else "dropped")
                    for column in summary.columns
                ),
            ],
            "missing_values": list(summary.data.missing_values),
            "thousands": summary.data.thousands,
            "notes": self._lines("note"),
            "warnings": self._lines("warning"),
            "findings": [finding.as_json for finding in self.findings],
            "yaml": self.text,
        }


def _column(column: ColumnProfile, use: str) -> dict[str, Any]:
    """The JSON object of a column; `use` is target, feature or dropped."""
    statistics = {"min": column.lowest, "max": column.highest, "mean": column.mean, "median": column.median}
    return {
        "name": column.name,
        "use": use,
        "kind": column.kind,
        "label": column.label,
        "rows": column.rows,
        "missing": column.missing,
        "unit": column.unit,
        "distinct": column.distinct,
        "top_values": [{"value": value, "count": count} for value, count in column.top_values],
        **json_safe(statistics),
        "reason": column.reason if use == "dropped" else "",
        "error": None if column.error is None else column.error.message,
    }


@operation(InitOptions)
def init(data: TableLocation, target: str | Sequence[str], options: InitOptions) -> str:
    """Draft a configuration for a table and return its YAML, with comments on the columns and the choices.

    `target` is the column to predict, or several. Paths in the YAML are relative to the folder of the
    output, or else to the working directory.

    Raises:
        UsageError: there is no target, the table is a pipe, the output exists, or quality is used with textbook.
        ConfigError: an assignment is wrong.
        DataError: the table cannot be read, or has no such target or no feature column.
    """
    return draft_with(data, target, options).text


def draft_with(data: TableLocation, target: str | Sequence[str], options: InitOptions) -> InitResult:
    """Draft a configuration as `init` does, and return it with its notes and warnings."""
    if options.preset == "textbook" and options.quality is not None:
        use = InitOptions.use
        raise UsageError(
            Advice(use("quality"), " needs the preset tabular"), hint=Advice("Remove ", use("quality"), ".")
        )
    output_path = None if options.output is None else Path(options.output)
    if output_path is not None:
        check_overwrite(output_path, force=options.force)
    source = as_source(data)
    summary = summarize_table(
        source,
        [target] if isinstance(target, str) else target,
        options.assignments,
        None if output_path is None else existing_parent(output_path),
    )
    extra = apply_overrides(Document({}, {}, "nncli init", ()), options.assignments).value
    text = draft_config(
        summary,
        path=_relative_path(Path.cwd() if output_path is None else output_path.resolve().parent, source),
        name=stem_of(source),
        preset=options.preset,
        quality=options.quality,
        extra={key: value for key, value in extra.items() if key != "data"},
        # Editors read the schema named in the first line; it is a local file, so that it works offline.
        heading=[] if output_path is None else [editor_line()],
        train_command=None if options.output is None else f"nncli train {shlex.quote(str(options.output))}",
    )
    if output_path is not None:
        write_text(output_path, text)
    decisions = (*_decisions(summary), *_training_warnings(summary), *_column_warnings(summary))
    return InitResult(text, summary, summary.findings, decisions)


draft = operation(InitOptions)(draft_with)


def _relative_path(folder: Path, source: TableSource) -> str:
    """The path of the table relative to the folder; absolute on another drive. URLs are kept."""
    table = source.local_path
    if table is None:
        return source.path
    path = table.parent.resolve() / table.name
    try:
        seen = os.path.relpath(path, folder)
    except ValueError:  # on another drive
        seen = str(path)
    try:
        seen.encode()
    except UnicodeEncodeError:
        raise UsageError(
            "the file name is not valid Unicode",
            location=Location(source=str(table)),
            hint="Rename the file.",
        ) from None
    return Path(seen).as_posix()


def stem_of(source: TableSource) -> str:
    """`train` for train.csv.gz, `sales` for the table sales of a database or the files sales/*.csv."""
    if source.table is not None:
        return source.table
    if source.is_standard_input:
        return "stdin"
    path = path_of(source.path)
    if source.local_path is not None and names_several(source.path):
        folder = Path(os.path.realpath(fixed_folder(source.path)))
        names = (part for part in reversed(folder.parts) if "=" not in part)  # above folders such as year=2025
        return next(names, "table")
    name = path.with_suffix("") if path.suffix.lower() == ZIP else without_compression(path)
    return name.stem


def _decisions(summary: TableSummary) -> tuple[Finding, ...]:
    """Notes on the missing values, the thousands separator and the dropped columns."""
    plain = [column for column in summary.dropped if not _was_unreadable(column)]
    reasons = dict.fromkeys(column.reason for column in plain)
    reading, separator = FindingCode.TABLE_READING, quote(summary.data.thousands or "")
    read_as = "is read as a missing value" if len(summary.na_spellings) == 1 else "are read as missing values"
    return (
        *([note(reading, f"{join_quoted(summary.na_spellings)} {read_as}")] if summary.na_spellings else []),
        *([note(reading, f"{separator} is read as the thousands separator")] if summary.has_thousands else []),
        *(
            note(
                FindingCode.DROPPED_COLUMN,
                f"dropped {join_quoted(column.name for column in plain if column.reason == reason)}: {reason}",
            )
            for reason in reasons
        ),
    )


def _training_warnings(summary: TableSummary) -> tuple[Finding, ...]:
    """Warnings of a constant target and of too few rows."""
    varying = summary.kind.varying_columns(summary.data.target)
    constant = [target for target in summary.targets if target.name in varying and target.distinct == 1 < summary.rows]
    count = "only 1 row has" if summary.rows == 1 else f"only {summary.rows:,} rows have"
    return (
        *(constant_target(target.name, target.top_values[0][0], summary.location) for target in constant),
        *(
            [warning(FindingCode.FEW_ROWS, f"{count} a target, too few to train and validate", hint=ADD_ROWS)]
            if summary.rows < MIN_ROWS
            else []
        ),
    )


def _was_unreadable(column: ColumnProfile) -> bool:
    """Whether a column is dropped because its kind is ambiguous."""
    return column.error is not None and column.reason == column.error.message


def _column_warnings(summary: TableSummary) -> tuple[Finding, ...]:
    """Warnings of columns whose kind is ambiguous: they are dropped or treated as categorical."""
    columns = [*(column for column in summary.dropped if _was_unreadable(column)), *summary.ambiguous]
    return tuple(unreadable_column(column, column.error) for column in columns if column.error is not None)
