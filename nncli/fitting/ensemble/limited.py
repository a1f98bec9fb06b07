"""Training within a time limit: the table is read and measured once, then what fits is trained."""

from __future__ import annotations

import time
from collections.abc import Generator
from pathlib import Path

from nncli.base.logs import log_duration
from nncli.base.scratch import Scratch, existing_parent
from nncli.config.schema import Config
from nncli.fitting.ensemble.member_config import check_members
from nncli.fitting.ensemble.train import train_ensemble
from nncli.fitting.launch import Launch
from nncli.fitting.prepare.load import load_table
from nncli.fitting.timing.clock import TimeLimit
from nncli.fitting.timing.plan import plan_within
from nncli.fitting.train.events import Event
from nncli.fitting.train.single import train_network


def train_within(
    limit: TimeLimit,
    config: Config,
    requested: Path,
    launch: Launch,
) -> Generator[Event, None, None]:
    """Train what fits into the time limit, with the events of a network or of an ensemble.

    Raises:
        NncliError: as for a training.
    """
    if config.is_ensemble:
        check_members(config)
    with Scratch(existing_parent(requested)) as scratch:
        start = time.perf_counter()
        table = load_table(config, config.data, scratch)
        reading = time.perf_counter() - start
        with log_duration("planning for the time limit") as stage:
            plan = plan_within(limit, config, table, reading)
            stage.details.append(plan.decision or "")
        launch, config = launch.with_findings(plan.findings), plan.config
        if config.is_ensemble:
            yield from train_ensemble(config, requested, launch, plan)
        else:
            yield from train_network(
                config, requested, launch.command, launch.stop, findings=launch.findings, plan=plan
            )
