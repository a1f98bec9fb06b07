"""Learning curves of one network and of an ensemble."""

from __future__ import annotations

import numpy as np
import pytest

from nncli.analysis.report.page import FigureBlock, Gallery
from nncli.analysis.report.sections.learning_curves import learning_curves
from nncli.nn.training.loop import EpochReport
from nncli.run_directory.history_and_metrics import History


def history(*losses: float, metric: str | None = None) -> History:
    reports = tuple(
        EpochReport(
            epoch=i,
            loss=loss,
            penalty=0,
            val_loss=2 * loss,
            metric=None if metric is None else 0.5,
            learning_rate=0.1,
            is_best=loss == min(losses),
            seconds=0,
        )
        for i, loss in enumerate(losses, start=1)
    )
    return History(metric, reports)


def figures(*histories: History, monitor: str | None = None) -> tuple[FigureBlock, ...]:
    section = learning_curves(tuple(enumerate(histories, start=1)), monitor)
    assert section is not None
    assert section.name == "learning-curves"
    gallery = section.parts[1]
    assert isinstance(gallery, Gallery)
    return gallery.figures


def test_without_a_history_there_is_no_section() -> None:
    assert learning_curves(()) is None


def test_one_network_has_a_row_for_each_epoch() -> None:
    loss, metric = figures(history(4.0, 1.0, 2.0, metric="accuracy"))
    assert (loss.title, metric.title) == ("Loss", "Accuracy")
    assert [row[:3] for row in loss.table.rows] == [("1", "4", "8"), ("2", "1", "2"), ("3", "2", "4")]


def test_an_ensemble_has_a_row_for_each_member_at_its_best_epoch() -> None:
    (loss,) = figures(history(4.0, 1.0), history(3.0, 2.0, 5.0))
    assert [row[:4] for row in loss.table.rows] == [("1", "2", "2", "1"), ("2", "3", "2", "2")]


def test_infinite_losses_are_gaps() -> None:
    (loss,) = figures(history(np.inf, 1.0, 2.0))
    assert loss.table.rows[0][1] == "∞"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("monitor", "titles", "marked"),
    [
        ("val_roc_auc", ("ROC AUC", "Loss"), "ROC AUC"),
        ("val_loss", ("Loss", "ROC AUC"), "Loss"),
        ("loss", ("Loss", "ROC AUC"), "Loss"),
        (None, ("Loss", "ROC AUC"), None),
    ],
)
def test_the_best_epoch_is_marked_on_what_chooses_it(
    monitor: str | None, titles: tuple[str, str], marked: str | None
) -> None:
    result = figures(history(4.0, 1.0, 2.0, metric="roc_auc"), monitor=monitor)
    assert tuple(figure.title for figure in result) == titles
    assert [figure.title for figure in result if "best epoch: 2" in figure.svg] == [marked] * (marked is not None)
    assert [figure.title for figure in result if "chooses the best epoch" in figure.description] == [marked] * (
        marked is not None
    )
