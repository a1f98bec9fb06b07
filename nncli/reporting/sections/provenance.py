"""Where it all came from: the configuration, the manifest, and how to go on."""

from __future__ import annotations

from nncli.evaluation.run_summary import RunSummary
from nncli.reporting.page import Facts, Heading, Listing, Paragraph, Part, Section, Table, shown
from nncli.utils.logs import format_duration


def provenance(evidence: RunSummary) -> Section:
    """The configuration with every default, and what the manifest says."""
    manifest = evidence.manifest
    pairs = [
        ("status", manifest.status),
        ("command", shown(" ".join(manifest.command), 400) or "from Python"),
        ("started", manifest.started),
        ("finished", manifest.finished or "not yet"),
        ("took", "–" if manifest.seconds is None else format_duration(manifest.seconds)),
        ("table", shown(manifest.data.path, 400)),
        ("SHA-256 of the table", manifest.data.sha256 or "not known: it came from a pipe"),
        ("rows of the table", f"{manifest.data.rows:,}"),
        ("training rows", f"{manifest.training_rows:,}"),
        ("validation rows", f"{manifest.validation_rows:,}"),
        ("features", f"{manifest.features:,}"),
        ("networks", f"{manifest.members:,}"),
        ("parameters", f"{manifest.parameters:,}"),
        ("seed", str(manifest.seed)),
        (
            "backend",
            f"{manifest.backend}, a batch in {manifest.n_shards}, {manifest.blas_threads} thread(s) of the BLAS",
        ),
        ("nncli", manifest.nncli_version),
        ("versions", ", ".join(f"{name} {version}" for name, version in manifest.versions.items())),
        ("machine", f"{manifest.machine.system}, {manifest.machine.processor}, {manifest.machine.cores} cores"),
    ]
    if manifest.validation_data is not None:
        pairs.insert(8, ("validation table", shown(manifest.validation_data.path, 400)))
    sums = tuple((shown(name), digest) for name, digest in sorted(manifest.files.items()))
    parts: list[Part] = [
        Facts(tuple(pairs)),
        Table("Checksums of the run's files", ("file", "SHA-256"), sums, prose=(0, 1)),
        Heading("Configuration"),
        Paragraph("Every default is written out: this file trains the same model again.")
        if evidence.config
        else Paragraph("It cannot be read."),
        *([Listing("config.yaml", evidence.config)] if evidence.config else []),
    ]
    return Section("provenance", "Where it came from", tuple(parts))
