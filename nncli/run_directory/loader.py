"""Reading a trained model from a run directory, whose files may be damaged or exchanged."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import safetensors
import safetensors.numpy

from nncli.base import plugins
from nncli.base.errors import Advice, Location, ResumeRun, RunError
from nncli.base.regular_files import read_regular
from nncli.base.text import join_quoted, quote
from nncli.config.renamed_keys import with_present_goal
from nncli.models import held_out_rows
from nncli.models.ensemble import Ensemble, EnsembleSpec, spec_json
from nncli.models.held_out_rows import HeldOutRows
from nncli.models.model import FORMAT, Model, ModelSpec
from nncli.nn.parameters import Parameters
from nncli.run_directory import training_rows
from nncli.run_directory.filenames import FOLDS, LARGEST_MANIFEST, TRAINING_ROWS_KEY, train_command
from nncli.run_directory.manifest import (
    CONFIG,
    DAMAGED,
    HELD_OUT,
    MANIFEST,
    MEMBERS,
    MODEL,
    REFERENCE,
    TRAINING_ROWS,
    WEIGHTS,
    Manifest,
    checksum,
    files_of_member,
    member_folder,
)
from nncli.run_directory.monitoring import reference
from nncli.run_directory.monitoring.reference import Reference
from nncli.run_directory.training_rows import TrainingRows

S = TypeVar("S", ModelSpec, EnsembleSpec)
T = TypeVar("T")

LARGEST_TEXT = 1 << 28
"""Bytes of JSON that are read at most: far more than a real encoder needs, far less than fills the memory."""
KEY_BYTES = 16
LARGEST_HEADER = 1 << 24
"""Bytes of a safetensors header at most."""


def damaged(folder: Path, name: str, message: str, hint: str = DAMAGED) -> RunError:
    """A RunError at a file of the run directory."""
    return RunError(message, location=Location(source=str(folder / name)), hint=hint)


def read_file(folder: Path, name: str, largest: int) -> bytes:
    """Read a regular file of the folder; links are refused.

    Raises:
        RunError: it is missing, a link, not a regular file, or larger than `largest`.
    """
    try:
        return read_regular(folder / name, largest)
    except OSError as error:
        raise damaged(folder, name, f"the file cannot be read: {error.strerror or error}") from error


def read_json(folder: Path, name: str) -> dict[str, Any]:
    """Read a JSON object of the folder.

    Raises:
        RunError: it is missing or damaged.
    """
    try:
        document = json.loads(read_file(folder, name, LARGEST_TEXT))
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise damaged(folder, name, "the file is damaged: it is not a JSON object")
    return document


def read_manifest(folder: Path) -> Manifest:
    """Read and verify the manifest.

    Raises:
        RunError: it is missing, damaged, or of a newer format.
    """
    text = read_file(folder, MANIFEST, LARGEST_MANIFEST)
    _refuse_newer(folder, MANIFEST, text)
    try:
        manifest = Manifest.model_validate_json(text)
    except ValueError as error:
        raise damaged(folder, MANIFEST, "the file is damaged: it is not a manifest") from error
    if manifest.checksum != checksum(json.loads(text)):
        raise damaged(folder, MANIFEST, "the file is damaged: its checksum does not match its content")
    required = {MODEL} if manifest.members == 1 else {CONFIG}
    complete = required <= manifest.files.keys() <= manifest.allowed_files
    if manifest.files and manifest.status != "running" and not complete:
        raise damaged(folder, MANIFEST, "the file is damaged: it lists other files than a run has")
    return manifest


def check_plugins(folder: Path) -> None:
    """Check that the plugins that the run in `folder` needs are loaded, or load them; RunError as `plugins.require`.

    The folder may be that of a cross-validation or a search. What is wrong with a manifest is said by who reads it.
    """
    folds = f"{FOLDS}/*/{MANIFEST}"
    for path in (folder / MANIFEST, *sorted(folder.glob(folds)), *sorted(folder.glob(f"trials/*/{folds}"))):
        with suppress(OSError, ValueError):
            content = read_regular(path, LARGEST_MANIFEST)
            needed = Manifest.model_validate_json(content).plugins if b'"plugins"' in content else ()
            plugins.require([record.plugin for record in needed], path.parent)


def read_verified(folder: Path, name: str, manifest: Manifest, largest: int) -> bytes:
    """Read a file of the run, and verify its checksum in the manifest.

    Raises:
        RunError: it is missing, changed, or larger than `largest`.
    """
    content = read_file(folder, name, largest)
    _verify(folder, name, content, manifest)
    return content


def read_spec(folder: Path, manifest: Manifest) -> ModelSpec:
    """Read the model without its weights; RunError as for `read_model`."""
    spec = _parse_spec(folder, manifest, ModelSpec, "a model")
    _check_parts(folder, spec)
    return spec


def read_any_spec(folder: Path, manifest: Manifest) -> ModelSpec | EnsembleSpec:
    """Read a model or an ensemble without its weights; RunError as for `read_model`."""
    return read_spec(folder, manifest) if manifest.members == 1 else read_ensemble_spec(folder, manifest)


def _read_optional(
    folder: Path, name: str, manifest: Manifest, largest: int, parse: Callable[[bytes], T], what: str
) -> T | None:
    """Read a file that older versions do not write; None if there is none, or if it was removed."""
    if name not in manifest.files or not os.path.lexists(folder / name):
        return None
    content = read_verified(folder, name, manifest, largest)
    try:
        return parse(content)
    except ValueError as error:
        raise damaged(folder, name, f"the file is damaged: it does not hold {what}") from error


def read_training_rows(folder: Path, manifest: Manifest) -> TrainingRows | None:
    """Read the hashes of the training and validation rows.

    None for a run of an older version, which has none, or if the file was removed, or the key of its hashes.

    Raises:
        RunError: the file is damaged.
    """
    largest, parse = training_rows.LARGEST_FILE, TrainingRows.from_bytes
    rows = _read_optional(folder, TRAINING_ROWS, manifest, largest, parse, "training rows")
    if rows is None or rows.key is None:
        return rows
    if not os.path.lexists(folder / TRAINING_ROWS_KEY):
        return None
    key = read_file(folder, TRAINING_ROWS_KEY, KEY_BYTES)
    if len(key) < KEY_BYTES:
        raise damaged(folder, TRAINING_ROWS_KEY, f"the file is damaged: a key has {KEY_BYTES} bytes")
    return replace(rows, key=key)


def check_not_removed(folder: Path, manifest: Manifest, name: str) -> None:
    """Raise a RunError if the run had this file, and has it no longer, or is private and has none."""
    if name not in manifest.files:
        manifest.check_not_private(folder, name)
    if name in manifest.files and not os.path.lexists(folder / name):
        raise RunError(
            f"{name}, which the manifest of the run lists, was removed",
            location=Location(source=str(folder)),
            hint=f"Restore the file, or train again: {train_command(folder)}",
        )


def read_held_out(folder: Path, manifest: Manifest) -> HeldOutRows | None:
    """Read the rows that a network did not train on; None if the run keeps none, or if the file was removed.

    Raises:
        RunError: the file, or the specification of the model, is damaged.
    """

    def parse(content: bytes) -> HeldOutRows:
        spec = read_any_spec(folder, manifest)
        return HeldOutRows.from_bytes(content, spec.target, manifest.members, spec.loss.quantile_levels)

    largest = held_out_rows.LARGEST_FILE
    return _read_optional(folder, HELD_OUT, manifest, largest, parse, "this run's held-out rows")


def read_reference(folder: Path, manifest: Manifest) -> Reference | None:
    """Read the profile of the training rows; None if the run keeps none, or if the file was removed.

    Raises:
        RunError: the file is damaged.
    """
    largest, parse = reference.LARGEST_FILE, Reference.from_bytes
    return _read_optional(folder, REFERENCE, manifest, largest, parse, "a reference profile")


def read_any_model(folder: Path, manifest: Manifest) -> Model | Ensemble:
    """Read a trained model or ensemble; RunError as for these."""
    return read_ensemble(folder, manifest) if manifest.members > 1 else read_model(folder)


def read_model(folder: Path) -> Model:
    """Read a trained model.

    Raises:
        RunError: a file is damaged, does not fit the others, or was written by a newer nncli.
    """
    manifest = read_manifest(folder)
    spec = read_spec(folder, manifest)
    content = read_verified(folder, WEIGHTS, manifest, weights_size(spec))
    return Model(spec, parse_weights(folder, WEIGHTS, content, spec))


def read_ensemble_spec(folder: Path, manifest: Manifest) -> EnsembleSpec:
    """Read an ensemble without its members; RunError if the file is damaged or was written by a newer nncli."""
    spec = _parse_spec(folder, manifest, EnsembleSpec, "an ensemble")
    if not _decision_fits(spec):
        raise damaged(folder, MODEL, "the file is damaged: its decision is about other classes")
    if spec.members != manifest.members:
        raise damaged(folder, MODEL, f"does not belong to {MANIFEST}, which states another number of networks")
    return spec


def read_ensemble(folder: Path, manifest: Manifest) -> Ensemble:
    """Read a trained ensemble.

    Raises:
        RunError: a file of it or of a member is damaged, or a member was exchanged or trained further.
    """
    spec = read_ensemble_spec(folder, manifest)
    return Ensemble(spec, tuple(_read_member(folder, i, spec, manifest) for i in range(spec.members)))


def _read_member(folder: Path, i: int, spec: EnsembleSpec, manifest: Manifest) -> Model:
    path = folder / member_folder(i)
    if (folder / MEMBERS).is_symlink() or path.is_symlink():
        raise damaged(folder, member_folder(i), "not a plain folder: a run directory holds no links")
    model = read_model(path)
    files = read_manifest(path).files
    if any(files.get(Path(file).name) != manifest.files.get(file) for file in files_of_member(i)):
        raise damaged(
            folder,
            member_folder(i),
            "this is not the network that was trained for the ensemble, or it was trained further by itself",
            Advice("Restore it from a copy, or build the ensemble again: ", ResumeRun(folder))
            if manifest.selection is None
            else "Restore it from a copy, or select the networks again with nncli tune.",
        )
    if not spec.accepts(model.spec):
        raise damaged(folder, member_folder(i), "the network predicts something else than the ensemble does")
    return model


def _refuse_newer(folder: Path, name: str, text: bytes) -> None:
    try:
        version = json.loads(text).get("format")
    except (ValueError, AttributeError, RecursionError) as error:
        raise damaged(folder, name, "the file cannot be read as JSON") from error
    if isinstance(version, int) and version > FORMAT:
        message = f"written in format {version}; this nncli reads up to {FORMAT}"
        raise damaged(folder, name, message, "Install a newer nncli.")


def _verify(folder: Path, name: str, content: bytes, manifest: Manifest) -> None:
    """Verify the checksum of a file; a run that is being written, or was interrupted, has none yet."""
    expected = manifest.files.get(name)
    if manifest.status == "running" and expected is None:
        return
    if hashlib.sha256(content).hexdigest() != expected:
        error = damaged(folder, name, f"the file is not the one that was written: its checksum is not {MANIFEST}'s")
        error.is_changed_file = True
        raise error


def _parse_spec(folder: Path, manifest: Manifest, kind: type[S], what: str) -> S:
    """The verified model.json, without its decision if the manifest has the checksum without it.

    That is so if a process was killed between the two files, see nncli/run_directory/saved_decision.py.
    """
    text = read_file(folder, MODEL, LARGEST_TEXT)
    _refuse_newer(folder, MODEL, text)
    plugins.require([record.plugin for record in manifest.plugins], folder)
    with suppress(ValueError):
        if hashlib.sha256(text).hexdigest() != manifest.files.get(MODEL, ""):
            spec = kind.model_validate_json(with_present_goal(text))
            undecided = (spec_json(spec.model_copy(update={"decision": None})) + "\n").encode()
            if spec.decision is not None and hashlib.sha256(undecided).hexdigest() == manifest.files.get(MODEL):
                text = undecided
    _verify(folder, MODEL, text, manifest)
    try:
        return kind.model_validate_json(with_present_goal(text))
    except ValueError as error:
        raise damaged(folder, MODEL, f"the file is damaged: it does not describe {what}") from error


def _check_parts(folder: Path, spec: ModelSpec) -> None:
    """Raise a RunError if the parts of a model do not fit each other."""
    encoder, target, network, loss = spec.encoder, spec.target, spec.network, spec.loss
    tables = [(c.name, c.n_codes, c.embedding_width) for c in encoder.embedded]
    fits = (
        network.n_features == encoder.width
        and network.embedded_numeric in ((), encoder.embeddable_positions)
        and network.offset == encoder.offset
        and [(e.name, e.n_embeddings, e.width) for e in network.embeddings] == tables
        and target.accepts_loss(loss, spec.temperature)
        and network.n_outputs == loss.outputs(target.n_outputs)
        and target.is_whole
        and _decision_fits(spec)
    )
    try:
        network.layout  # noqa: B018 - asked for its ValueError
    except ValueError:
        fits = False
    if not fits:
        raise damaged(folder, MODEL, "the file is damaged: its parts do not fit each other")


def _decision_fits(spec: ModelSpec | EnsembleSpec) -> bool:
    """Whether there is no decision, or one about the classes of the target."""
    return spec.decision is None or spec.decision.fits(spec.target.labels)


def weights_size(spec: ModelSpec) -> int:
    """The size in bytes of a file of weights at most."""
    numbers = sum(int(np.prod(param.shape, dtype=object)) for param in spec.network.layout.specs)
    return numbers * np.dtype(spec.network.precision).itemsize + LARGEST_HEADER


def parse_weights(folder: Path, file: str, content: bytes, spec: ModelSpec) -> Parameters:
    """The weights of a network from the bytes of a file; RunError if they are damaged or of another network."""
    layout, precision = spec.network.layout, spec.network.precision
    shapes = {param.name: param.shape for param in layout.specs}
    try:
        arrays = safetensors.numpy.load(content)
    except (safetensors.SafetensorError, ValueError, TypeError, KeyError) as error:
        raise damaged(folder, file, "the file is damaged: it does not hold weights") from error
    if arrays.keys() != shapes.keys():
        odd = sorted(arrays.keys() ^ shapes.keys())
        message = f"does not belong to {MODEL}: {join_quoted(odd)} is in one and not the other"
        raise damaged(folder, file, message)
    for name, shape in shapes.items():
        if arrays[name].shape != shape or arrays[name].dtype != precision:
            raise damaged(folder, file, f"{quote(name)} does not have the shape that {MODEL} says")
        if not np.isfinite(arrays[name]).all():
            raise damaged(folder, file, f"{quote(name)} holds what is not a finite number")
    parameters = layout.empty(precision)
    for name, view in parameters.by_name.items():
        view[...] = arrays[name]
    return parameters
