"""How a training was called: its command line, when to stop, where its tasks run, what was said before."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from nncli.base.findings import Finding
from nncli.config.schema import Config

if TYPE_CHECKING:
    from nncli.fitting.parallel.task_stream import Workers


@dataclass(frozen=True)
class TrainingCall:
    """The command line of a training, what stops it, where its tasks run, and the findings that precede its own.

    `stop` is called after every batch, or a few times a second; once it returns True, everything is saved and ends.
    `scheduler` is the address of a Dask scheduler whose workers train. If it `replaces` the run of its name, that run
    is removed once the table is read.
    """

    command: Sequence[str] = ()
    stop: Callable[[], bool] = lambda: False
    scheduler: str | None = None
    findings: Sequence[Finding] = ()
    replaces: bool = False

    def workers(self, config: Config, requested: int | Literal["auto"] | None = None) -> Workers:
        """Where the tasks of a configuration run; `requested` precedes its own number of workers."""
        # One network has no tasks, and their processes import multiprocessing.
        from nncli.fitting.parallel.task_stream import Workers

        return Workers(requested or config.workers, self.scheduler)

    def with_findings(self, findings: Sequence[Finding]) -> TrainingCall:
        """The same with further findings."""
        return replace(self, findings=(*self.findings, *findings))
