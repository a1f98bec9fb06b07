"""`nncli share` and `nncli train --private`: a run without rows, rare categories, paths and user names."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from nncli.api.options import ShareOptions
from nncli.base.atomic_files import atomic_writer, check_overwrite
from nncli.base.errors import Advice, Location, ResumeRun, RunError, UsageError
from nncli.base.logs import log_duration
from nncli.base.option import operation
from nncli.base.plugins import CODE_FOLDER, content_of
from nncli.base.text import quote
from nncli.config.schema import Config, ValidationFile
from nncli.config.yaml.writer import dump
from nncli.data.columns.parsing import MISSING_WORDS
from nncli.data.encoders.categorical import REMOVED, CategoricalColumn
from nncli.data.sources.table_source import STANDARD_INPUT
from nncli.fitting.train.provenance import fingerprint, recorded_execution
from nncli.models.ensemble import EnsembleSpec, spec_json
from nncli.models.model import ModelSpec
from nncli.run_directory.config import read_config
from nncli.run_directory.cross_validation import check_is_run
from nncli.run_directory.disclosure import file_of
from nncli.run_directory.filenames import CONFIG, LARGEST_FILE, MANIFEST, METRICS, MODEL, REFERENCE
from nncli.run_directory.loader import (
    KEY_BYTES,
    LARGEST_TEXT,
    check_not_removed,
    read_any_spec,
    read_json,
    read_manifest,
    read_verified,
)
from nncli.run_directory.manifest import DataRecord, Manifest
from nncli.run_directory.monitoring.reference import CategoryBins
from nncli.run_directory.run import CONFIG_HEADER, Run, from_bytes

LEAST_ROWS = 10
"""Training rows of a category that is kept."""


@dataclass(frozen=True)
class Shared:
    """A file with a private copy of a run: its `path` and the names of the `files` in it.

    `rare` counts the categories and classes of fewer than LEAST_ROWS training rows, by column, that it does not name.
    """

    path: Path
    files: tuple[str, ...]
    rare: Mapping[str, int]

    @property
    def notes(self) -> tuple[str, ...]:
        """What the copy does not have, and which predictions it changes."""
        return (*rare_notes(self.rare), "the copy cannot be trained further, and has no intervals, thresholds or drift")

    def json(self) -> dict[str, Any]:
        """All fields as a JSON object."""
        return {"path": str(self.path), "files": list(self.files), "rare": dict(self.rare), "notes": list(self.notes)}


def rare_notes(rare: Mapping[str, int]) -> tuple[str, ...]:
    """A line about the categories that were removed, if any."""
    if not rare:
        return ()
    columns = ", ".join(f"{count:,} of {quote(name)}" for name, count in rare.items())
    return (
        f"categories of fewer than {LEAST_ROWS} training rows are removed: {columns}; rows with them are predicted "
        "as with an unseen category, and a class among them gets another name",
    )


def share_with(run: str | Path, output: str | Path, options: ShareOptions) -> Shared:
    """Write a private copy of a run to `output`, a .zip file: a run directory that predicts, is exported and served.

    It gives away no rows, no categories of fewer than LEAST_ROWS training rows, no paths and no user names.

    Raises:
        RunError: the run is damaged, not finished, a member, a cross-validation or of an older version.
        UsageError: the file exists already, or is no .zip file.
    """
    source, path = Run.open(Path(run)), Path(output)
    if path.suffix.lower() != ".zip":
        raise UsageError("the copy is a .zip file", location=Location(source=str(path)), hint=f"Name {path.stem}.zip.")
    check_overwrite(path, force=options.force)
    with log_duration("removing what is private"):
        private = PrivateFiles.of(source)
    with log_duration(f"writing {path}"), atomic_writer(path) as stream, ZipFile(stream, "w", ZIP_DEFLATED) as archive:
        for name, content in private.files.items():
            info = ZipInfo(f"{path.stem}/{name}")  # of the year 1980
            info.compress_type, info.external_attr = ZIP_DEFLATED, 0o644 << 16
            archive.writestr(info, content)
    return Shared(path, tuple(private.files), private.rare)


share = operation(ShareOptions)(share_with)


def make_private(path: Path) -> Mapping[str, int]:
    """Replace a finished run by its private copy, with keyed hashes of its training rows; return what is rare.

    Raises:
        RunError: see `share_with`.
    """
    run = Run.open(path)
    private, rows = PrivateFiles.of(run), run.load_training_rows()
    with Run.temporary(path) as copy:
        from_bytes(private.files, copy.path, exist_ok=True)
        if rows is not None:
            copy.save_training_rows(rows.keyed(secrets.token_bytes(KEY_BYTES)))
        copy.save_manifest(read_manifest(copy.path))  # with the checksum of these
        copy.rename_to_free_name(path, lambda _: None, replaces=True)
    return private.rare


@dataclass(frozen=True)
class PrivateFiles:
    """The files of a private copy by their names, and the number of `rare` categories of each column."""

    files: Mapping[str, bytes]
    rare: Mapping[str, int]

    @classmethod
    def of(cls, run: Run) -> PrivateFiles:
        """The private copy of a run; see `share_with` for the errors."""
        check_is_run(run.path, ", not a run", "Share the run of a training.")
        manifest = run.load_manifest()
        if manifest.status != "done":
            raise RunError(
                "the training of this run is not finished",
                location=Location(source=str(run.path)),
                hint=Advice("To resume: ", ResumeRun(run.path)),
            )
        run.load_model()  # a damaged run is not given new checksums
        folders = [*manifest.member_folders, ""] if manifest.members > 1 else [""]
        manifests = {folder: read_manifest(run.path / folder) for folder in folders}
        specs = {folder: read_any_spec(run.path / folder, manifests[folder]) for folder in folders}
        names = {} if manifest.private else _rare_names(run, manifest, [*specs.values()])
        files: dict[str, bytes] = {}
        for folder in folders:  # the manifest of an ensemble comes last: it has the checksums of its members
            private = _private_folder(run.path / folder, manifests[folder], specs[folder], names, files)
            files |= {f"{folder}/{name}" if folder else name: content for name, content in private.items()}
        return cls(files, {column: len(of_column) for column, of_column in names.items()})


Names = Mapping[str, Mapping[str, str]]
"""What replaces the rare categories of each column, and the rare classes of the target."""


def _rare_names(run: Run, manifest: Manifest, specs: Sequence[ModelSpec | EnsembleSpec]) -> Names:
    """Replacements of the categories and classes of fewer than LEAST_ROWS training rows.

    That of a category has random letters, so that no cell equals it. A category that the reference does not count is
    rare, too.
    """
    reference = run.load_reference()
    if reference is None:
        check_not_removed(run.path, manifest, REFERENCE)
        raise RunError(
            f"the run has no {REFERENCE}, which tells how many rows have a category: it is a network of an ensemble, "
            "or was trained by an older version",
            location=Location(source=str(run.path)),
            hint="Share the run of the whole ensemble, or train again.",
        )
    frequent = {
        bins.name: {text for text, n in zip(bins.categories, bins.counts[1:-1], strict=True) if n >= LEAST_ROWS}
        for bins in reference.columns
        if isinstance(bins, CategoryBins)
    }
    names: dict[str, dict[str, str]] = {}
    encoders = [spec.encoder for spec in specs if isinstance(spec, ModelSpec)]
    for column in (column for encoder in encoders for column in encoder.columns):
        if isinstance(column, CategoricalColumn):
            for text in sorted({*column.seen_texts} - frequent.get(column.name, set())):
                names.setdefault(column.name, {}).setdefault(text, f"{REMOVED}{secrets.token_hex(16)}")
    target = run.load_model().spec.target
    if target.labels:
        scores = read_json(run.path, METRICS)["training"]["metrics"]
        rows = {of_class["label"]: of_class["support"] for of_class in scores.get("per_class") or scores["per_label"]}
        rare = [label for label in target.labels if rows.get(label, 0) < LEAST_ROWS]
        if others := target.other_labels(rare):
            names[target.names[0]] = others
    return names


def _private_folder(
    folder: Path, manifest: Manifest, spec: ModelSpec | EnsembleSpec, names: Names, members: Mapping[str, bytes]
) -> dict[str, bytes]:
    """The private files of a run or a member; `members` are those of its members."""
    classes = names.get(spec.target.names[0], {})
    config = _private_config(read_config(folder), classes)
    files = {
        CONFIG: (CONFIG_HEADER + dump(config.model_dump(mode="json"))).encode(),
        MODEL: (spec_json(_private_spec(spec, names, classes)) + "\n").encode(),
    }
    if METRICS in manifest.files:
        metrics = json.loads(read_verified(folder, METRICS, manifest, LARGEST_TEXT))
        metrics = _replaced(metrics, classes, LABEL_KEYS)
        metrics.pop("findings", None)  # their texts may have cells and paths
        files[METRICS] = (json.dumps(metrics, indent=1, ensure_ascii=False) + "\n").encode()
    for record in manifest.plugins:
        if record.file:
            files[f"{CODE_FOLDER}/{record.file}"] = content_of(record.sha256)
    for name in sorted(manifest.files.keys() - files.keys()):
        if "/" not in name and file_of("run", name).if_private == "kept":
            files[name] = read_verified(folder, name, manifest, LARGEST_FILE)
    sums = {
        name: hashlib.sha256(content).hexdigest()
        for name, content in sorted({**members, **files}.items())
        if name in manifest.allowed_files
    }
    without_source = {
        "command": (),
        "data": _without_source(manifest.data),
        "validation_data": manifest.validation_data and _without_source(manifest.validation_data),
        "teacher": None,
        "selection": manifest.selection
        and manifest.selection.model_copy(
            update={"trials": tuple(trial.model_copy(update={"path": ""}) for trial in manifest.selection.trials)}
        ),
        "fingerprint": fingerprint(config, recorded_execution(manifest)),
        "files": sums,
        "private": True,
    }
    signed = manifest.model_copy(update=without_source).with_checksum()
    return {**files, MANIFEST: (signed.model_dump_json(indent=1) + "\n").encode()}


def _without_source(record: DataRecord) -> DataRecord:
    return DataRecord(path=STANDARD_INPUT, sha256=None, rows=record.rows)


LABEL_KEYS = ("label", "labels", "positive", "actual", "predicted", "order")
"""The keys of metrics.json and of a decision whose values are classes."""
NO_SOURCE = {"path": STANDARD_INPUT, "sheet": None, "range": None, "table": None, "query": None}


def _private_config(config: Config, classes: Mapping[str, str]) -> Config:
    """The configuration without paths and rare classes."""
    validation, order = config.validation, config.data.order
    order = None if order is None else tuple(classes.get(label, label) for label in order)
    return config.model_copy(
        update={
            "data": config.data.model_copy(update={**NO_SOURCE, "order": order}),
            "validation": ValidationFile(path=STANDARD_INPUT) if isinstance(validation, ValidationFile) else validation,
            "class_weight": {classes.get(label, label): weight for label, weight in weights.items()}
            if isinstance(weights := config.class_weight, dict)
            else weights,
            "positive_class": _replaced(config.positive_class, classes),
            "teacher": None,
            "output": None,
        }
    )


def _private_spec(spec: ModelSpec | EnsembleSpec, names: Names, classes: Mapping[str, str]) -> ModelSpec | EnsembleSpec:
    """The specification without rare categories and classes, and without words of cells but marks such as n/a.

    Numbers that are cells of single rows are rounded.
    """
    changes: dict[str, Any] = {"target": spec.target.without_cells()}
    if isinstance(spec, ModelSpec):
        columns = tuple(column.without_cells() for column in spec.encoder.columns)
        changes["encoder"] = spec.encoder.model_copy(update={"columns": columns})
    document = json.loads(spec_json(spec.model_copy(update=changes)))
    marks = [
        (name, [word for word in words if word.strip().casefold() in MISSING_WORDS])
        for name, words in spec.dialect.missing_words
    ]
    document["dialect"]["missing_words"] = [(name, words) for name, words in marks if words]
    document["target"] = _replaced(document["target"], classes, LABEL_KEYS)
    if spec.decision is not None:
        document["decision"] = _replaced(document["decision"], classes, LABEL_KEYS)
    for column in document.get("encoder", {}).get("columns", ()):
        if column["type"] == "categorical":
            column["categories"] = _replaced(column["categories"], names.get(column["name"], {}))
            column["rare_categories"] = None
    return type(spec).model_validate_json(json.dumps(document))


def _replaced(value: Any, texts: Mapping[str, str], keys: Sequence[str] | None = None) -> Any:
    """A JSON value with other texts; with `keys` only in the values of these."""
    if isinstance(value, dict):
        return {
            key: _replaced(item, texts, None if keys is None or key in keys else keys) for key, item in value.items()
        }
    if isinstance(value, list):
        return [_replaced(item, texts, keys) for item in value]
    return texts.get(value, value) if keys is None and isinstance(value, str) else value
