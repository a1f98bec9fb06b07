"""The section of the health of a training: findings, and the lines of each layer."""

from __future__ import annotations

from pathlib import Path

from nncli.analysis.diagnosis import TrainingDiagnosis
from nncli.analysis.report.page import Details, Gallery, Paragraph, TableBlock
from nncli.analysis.report.sections.training_health import training_health
from nncli.base.findings import FindingCode, warning
from nncli.nn.training.health import Health, LayerHealth
from nncli.run_directory.remedies import MeasuredRemedy


def layer(name: str, gradient: float, dead: float = 0.0, weight: float = 2.0) -> LayerHealth:
    return LayerHealth(name, 0.0, 1.0, 0.0, 1.0, dead, None, weight, gradient, 0.002)


def network(*gradients: float, dead: float = 0.0) -> tuple[Health, ...]:
    return tuple(
        Health(epoch, 3 * epoch, 0.1, 1.0, 1.0, 0.5, 0.0, (layer("input", 0.0, weight=0.0), layer("layers.0", g, dead)))
        for epoch, g in zip((0, 1, 2, 4), gradients, strict=False)
    )


def test_the_section_has_the_measured_remedies_and_a_chart_for_gradients_and_updates() -> None:
    remedy = MeasuredRemedy(FindingCode.DEAD_UNITS, ("epochs=9",), (), "log loss", 9, 0.5, 0.4, -0.2, -0.1)
    finding = warning(FindingCode.OVERFITTING, "it overfits", hint="May help: this")
    health = (network(1.0, 2.0, 3.0),)
    section = training_health(TrainingDiagnosis(Path("run"), (finding,), health, remedies=(remedy,)))
    assert section is not None
    findings, _, gallery = section.parts
    assert isinstance(findings, TableBlock)
    assert isinstance(gallery, Gallery)
    shown = [[cell.full for cell in row] for row in findings.cells]
    assert shown == [[FindingCode.DEAD_UNITS.description, "--set epochs=9", remedy.sentence]]
    assert [figure.title for figure in gallery.figures] == ["Norm of the gradient", "Update relative to the weights"]
    assert [row[1].full for row in gallery.figures[0].table.cells] == ["1", "2", "3"]
    assert [row[0].full for row in gallery.figures[0].table.cells] == ["0", "1", "2"]


def test_of_several_networks_the_lines_are_medians_at_common_epochs_folded_if_no_remedy_was_measured() -> None:
    health = (network(1.0, 2.0), network(5.0, 6.0, 7.0, dead=0.5), network(2.0, 9.0, 9.0, dead=0.5))
    section = training_health(TrainingDiagnosis(Path("run"), (), health))
    assert section is not None
    nothing, folded = section.parts
    assert isinstance(nothing, Paragraph)
    assert isinstance(folded, Details)
    _, gallery = folded.parts
    assert isinstance(gallery, Gallery)
    assert [row[1].full for row in gallery.figures[0].table.cells] == ["2", "6"]
    assert gallery.figures[2].title == "Dead units and saturated values"


def test_a_run_without_measurements_has_no_section() -> None:
    assert training_health(TrainingDiagnosis(Path("run"), (), ((),))) is None
