"""The configuration of a student: a small network that a run teaches on the table of its training."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import nncli.config.presets
from nncli.base.errors import DataError, Location, RunError, UsageError
from nncli.config.loading import load_document
from nncli.config.schema import Config
from nncli.config.schema.training import Teacher, Validation
from nncli.config.yaml.parser import parse
from nncli.config.yaml.writer import dump
from nncli.fitting.prepare.auto_values import MAX_EMBEDDING, MIN_EMBEDDING
from nncli.fitting.prepare.distillation import left_out_fold
from nncli.models.ensemble import AnyModel, Ensemble
from nncli.models.held_out_rows import HeldOutRows
from nncli.nn.numeric_embeddings import NumericEmbedding
from nncli.run_directory.config import read_config
from nncli.run_directory.manifest import Manifest
from nncli.run_directory.run import Run

STUDENT = "student.yaml"
"""The preset of the network."""
MAX_EMBEDDED, UNITS_OF_EMBEDDINGS = 32, 64
"""Numeric columns that a student embeds, since more take longer than all layers, and about the units of them all."""
TEACHER_KEYS = (
    "data",
    "encoding",
    "output_activation",
    "positive_class",
    "monotone",
    "interactions",
    "precision",
    "memory_limit",
    "backend",
    "seed",
)
"""The keys of the teacher's configuration that are the student's too; data.sample and such belong to `data`."""


def student_config(path: Path, units: int, output: Path, assignments: Sequence[str] = ()) -> Config:
    """The configuration of a student with `units` in each layer, in the run directory `output`.

    The assignments `key=value` take precedence over all else.

    Raises:
        ConfigError: an assignment is not valid.
        RunError: the run is missing, damaged or not trained.
        UsageError: its predictions are not what a student can learn.
        DataError: its table cannot be read again.
    """
    run = Run.open(path)
    manifest = run.load_manifest()
    what = "it cannot teach: its rows are split with theirs"
    for of_target in run.targets.values():
        of_target.load_manifest().check_learns_alone(of_target.path, what, or_all=False)
    manifest.check_learns_alone(path, what, or_all=False)
    model = run.load_model()
    _check(path, manifest, levels=len(model.spec.loss.quantile_levels))
    config, held_out = _with_columns(read_config(path), manifest, model), run.load_held_out()
    preset = parse(Path(nncli.config.presets.__file__).with_name(STUDENT).read_text(encoding="utf-8"), STUDENT).value
    validation, teacher = _validation(run, manifest, config, held_out)
    settings: dict[str, object] = {
        "loss": model.spec.loss.of_student(),
        "validation": validation,
        "teacher": teacher,
        "output": str(output),
    }
    member = model.members[0] if isinstance(model, Ensemble) else model
    student = Config.model_validate({**{key: getattr(config, key) for key in TEACHER_KEYS}, **preset, **settings})
    layers = tuple(layer.with_auto_units(units) for layer in student.layers)
    embedding = embedding_of(student.numeric_embedding, len(member.spec.encoder.embeddable_positions))
    student = student.model_copy(update={"layers": layers, "numeric_embedding": embedding})
    document = parse(dump(student.model_dump(mode="json")), "the student's configuration")
    return load_document(document, assignments, folder=Path.cwd(), name=output.name).config


def embedding_of(embedding: NumericEmbedding | None, columns: int) -> NumericEmbedding | None:
    """The embedding of a number of numeric columns, whose width is `auto` in the preset; None for many columns."""
    if embedding is None or columns > MAX_EMBEDDED:
        return None
    return embedding.with_auto_width(min(MAX_EMBEDDING, max(MIN_EMBEDDING, UNITS_OF_EMBEDDINGS // max(1, columns))))


def _with_columns(config: Config, manifest: Manifest, model: AnyModel) -> Config:
    """The configuration with the columns of all members, of which other trials than that of it may use others."""
    if manifest.selection is None:
        return config
    drop = tuple(name for name in config.data.drop if name not in model.names)
    return config.model_copy(update={"data": config.data.model_copy(update={"drop": drop, "features": None})})


def _check(path: Path, manifest: Manifest, levels: int) -> None:
    """Raise an error if a student cannot learn from a run."""
    place = Location(source=str(path))
    if manifest.status == "running":
        raise RunError("the training of this run is not finished", location=place, hint="Resume it, or wait for it.")
    manifest.check_not_private(path, "its training table")
    if manifest.data.sha256 is None:
        raise DataError(
            "the table of this run came from a pipe, and a student learns on it",
            location=place,
            hint="Train the run from a file.",
        )
    if manifest.teacher is not None:
        raise UsageError(
            "this run is a student itself, and knows no more than its teacher",
            location=place,
            hint=f"Distill that one: nncli distill {shlex.quote(manifest.teacher.path)}",
        )
    if levels:
        raise UsageError(
            f"this run predicts {levels} quantiles, and a student learns one number or the probabilities of classes",
            location=place,
            hint="Train a run with another loss, such as mse, and distill that.",
        )


def _validation(
    run: Run, manifest: Manifest, config: Config, held_out: HeldOutRows | None
) -> tuple[Validation, Teacher]:
    """The validation rows of the student, and who teaches it: no member may have trained on them.

    They are those of the first member. Where other members trained on them, these teach a refit only.

    Raises:
        RunError: the run does not tell on which rows its members were trained.
    """
    teacher = Teacher(path=str(run.path.resolve()))
    if held_out is None and manifest.validation_rows:
        raise RunError(
            "this run does not keep its predictions of the validation rows, as members and older runs do not",
            location=Location(source=str(run.path)),
            hint="Train it again, or distill the ensemble that it is a member of.",
        )
    if held_out is None:
        return 0.0, teacher
    if manifest.members == 1:
        return config.validation, teacher
    rows = held_out.members[0].rows
    members = tuple(i + 1 for i, member in enumerate(held_out.members) if np.isin(rows, member.rows).all())
    validation = left_out_fold(run, manifest) or read_config(run.path / manifest.member_folders[0]).validation
    if len(members) == manifest.members:
        return validation, teacher
    return validation, teacher.model_copy(update={"members": members, "refit": True})
