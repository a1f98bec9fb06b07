"""Provenance of a run: command, table, versions, checksums, and the complete configuration."""

from __future__ import annotations

from nncli.analysis.evaluation.run_summary import RunSummary
from nncli.analysis.report.page import Details, Facts, Listing, Paragraph, Part, Section, Table, display
from nncli.base.logs import format_duration


def provenance(summary: RunSummary) -> Section:
    """The facts of the manifest, the checksums of the files, and the configuration with all defaults."""
    manifest = summary.manifest
    pairs = [
        ("status", manifest.status),
        ("command", display(" ".join(manifest.command), 400) or "called from Python"),
        ("started", manifest.started),
        ("finished", manifest.finished or "not finished"),
        ("duration", "–" if manifest.seconds is None else format_duration(manifest.seconds)),
        ("table", display(manifest.data.title, 400)),
        ("SHA-256 of the table", manifest.data.sha256 or "unknown, as it was read from a pipe"),
        ("rows of the table", f"{manifest.data.rows:,}"),
        ("training rows", f"{manifest.training_rows:,}"),
        (f"{manifest.held_out_kind} rows", f"{manifest.validation_rows:,}"),
        ("features", f"{manifest.features:,}"),
        ("networks", f"{manifest.members:,}"),
        ("parameters", f"{manifest.parameters:,}"),
        ("seed", str(manifest.seed)),
        ("backend", f"{manifest.backend}, {manifest.n_shards} batch shard(s), {manifest.blas_threads} BLAS thread(s)"),
        ("nncli", manifest.nncli_version),
        ("versions", ", ".join(f"{name} {version}" for name, version in manifest.versions.items())),
        ("machine", f"{manifest.machine.system}, {manifest.machine.processor}, {manifest.machine.cores} cores"),
        *([("BLAS", manifest.machine.blas)] if manifest.machine.blas else []),
    ]
    if manifest.teacher is not None:
        pairs.insert(8, ("teacher", display(manifest.teacher.path, 400)))
        pairs.insert(9, ("SHA-256 of the teacher's weights", manifest.teacher.sha256))
    if manifest.selection is not None:
        pairs.insert(8, ("selected", display(manifest.selection.text, 400)))
    if manifest.validation_data is not None:
        pairs.insert(8, ("validation table", display(manifest.validation_data.title, 400)))
    sums = tuple((display(name), digest) for name, digest in sorted(manifest.files.items()))
    checksums = Table("Checksums of the run's files", ("file", "SHA-256"), sums, prose=(0, 1))
    configuration = "config.yaml includes all defaults: training with it reproduces the model."
    if manifest.selection is not None:
        configuration = "config.yaml is that of the trial of the largest weight: training with it gives another model."
    parts: list[Part] = [
        Details("Command, versions and machine", (Facts(tuple(pairs)),)),
        Details("Checksums", (checksums,)),
        *([Listing("config.yaml", summary.config)] if summary.config else []),
        Paragraph(configuration if summary.config else "The configuration cannot be read."),
    ]
    return Section("provenance", "Provenance", tuple(parts))
