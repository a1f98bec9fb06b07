"""What is worth knowing before a search begins."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

from nncli.base.findings import Finding, FindingCode, note
from nncli.config.schema import Config, TuneSection
from nncli.config.schema.tune import Range
from nncli.nn.optim.schedules import ConstantRate
from nncli.runs.filenames import METRICS, is_locked
from nncli.runs.search_folder import is_search

RATE = "learning_rate"


def notes_before(config: Config, section: TuneSection, wanted: Path) -> tuple[Finding, ...]:
    """The notes on a search around a configuration, which is to be written into the directory `wanted`."""
    return (*_stopped(wanted), *_ensemble(config, section), *_schedule(config, section))


def _stopped(wanted: Path) -> Iterator[Finding]:
    """A stopped search has the directory, so that another one is made."""
    if is_search(wanted) and not (wanted / METRICS).exists() and not is_locked(wanted):
        resume = f"nncli tune --resume {shlex.quote(str(wanted))}"
        yield note(FindingCode.SEARCH, f"{wanted} has a search that was stopped", hint=f"To go on with it: {resume}")


def _ensemble(config: Config, section: TuneSection) -> Iterator[Finding]:
    """The configuration is an ensemble, whose scores are better than those of its trials."""
    if config.members == 1:
        return
    networks = "trains one network" + ("" if section.folds == "holdout" else " for each fold")
    message = (
        f"each trial {networks}; best.yaml keeps members: {config.members}, "
        "whose ensemble usually predicts better than the scores of trials say"
    )
    yield note(FindingCode.SEARCH, message)


def _schedule(config: Config, section: TuneSection) -> Iterator[Finding]:
    """The search replaces a schedule by constant learning rates."""
    rate, domain = config.learning_rate, section.search.get(RATE)
    if rate is None or isinstance(rate, ConstantRate) or domain is None:
        return
    if isinstance(domain, Range) or all(isinstance(choice, int | float) for choice in domain.choices):
        fields = type(rate).model_fields
        key = next((name for name in ("peak", "initial") if name in fields), None)
        hint = "" if key is None else f"To keep it, search {RATE}.{key}"
        yield note(FindingCode.SEARCH, f"{RATE} replaces the schedule {_type_of(rate)} by a constant", hint=hint)


def _type_of(rate: object) -> str:
    return str(getattr(rate, "type", type(rate).__name__))
