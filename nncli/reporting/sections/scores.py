"""How good it is, beside the trivial guess."""

from __future__ import annotations

from nncli.reporting.document import Paragraph, Section, Table, number, shown
from nncli.runs.history import Metrics, RecordedCard

GUESS = "The trivial guess knows no features: it says each class's share among the training rows, or their mean."


def recorded(metrics: Metrics) -> Section:
    """The scores that the training wrote down, without intervals: the rows themselves are not at hand."""
    cards = [("validation rows", metrics.validation), ("training rows", metrics.training)]
    tables = tuple(_table(title, card) for title, card in cards if card is not None)
    return Section("scores", "How good it is", (Paragraph(GUESS), *tables))


def _table(title: str, card: RecordedCard) -> Table:
    rows = tuple(
        (f"{one.name}, {shown(one.target)}" if one.target else one.name, number(one.value), number(one.trivial))
        for one in card.scores
    )
    return Table(f"Scores on {card.rows:,} {title}", ("metric", "model", "trivial guess"), rows)
