"""The values of the options of `nncli tune` by what they are about."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nncli.cli.source_options import SourceOptions

if TYPE_CHECKING:
    from nncli.cli.options import Quality


@dataclass(frozen=True)
class InputOptions:
    """The options that say what the configuration is."""

    config: str | None
    target: tuple[str, ...]
    assignments: tuple[str, ...]
    quality: Quality | None
    source: SourceOptions


@dataclass(frozen=True)
class SearchOptions:
    """The options that say how to search; None is the setting of the configuration."""

    search: tuple[str, ...]
    trials: int | None
    time: str | None
    folds: str | None
    metric: str | None
    sampler: str | None
    lag: int | None
    no_prune: bool

    @property
    def kept(self) -> dict[str, object]:
        """The settings that a resumed search keeps, by the names of their options."""
        return {
            "--search": self.search,
            "--folds": self.folds,
            "--metric": self.metric,
            "--sampler": self.sampler,
            "--lag": self.lag,
            "--no-prune": self.no_prune,
        }

    @property
    def values(self) -> dict[str, object]:
        """The values of keys of the section `tune`; None is that of the configuration."""
        return {
            "trials": self.trials,
            "time": self.time,
            "folds": self.folds,
            "metric": self.metric,
            "sampler": self.sampler,
            "lag": self.lag,
            "prune": False if self.no_prune else None,
        }


@dataclass(frozen=True)
class Action:
    """The options that say what to do, where and how: begin or resume a search, what follows it, its trackers."""

    resume: Path | None
    output: Path | None
    workers: int | None
    scheduler: str | None
    train: bool
    ensemble: int | None
    track: tuple[str, ...] = ()


def check_resume(given: InputOptions, settings: SearchOptions, action: Action) -> None:
    """Check that there is either a configuration or a directory to resume, the latter without options that it keeps.

    Raises:
        UsageError: there is neither or both, or an option that only a new search takes.
    """
    from nncli.base.errors import UsageError
    from nncli.base.text import quote

    if action.resume is None:
        if given.config is None:
            hint = "For a table: nncli tune TABLE --target COLUMN"
            raise UsageError("tune needs a CONFIG, or --resume DIR", hint=hint)
        return
    if given.config is not None:
        raise UsageError("--resume uses the configuration in DIR", hint=f"Remove {quote(given.config)}.")
    kept = {
        "-o": action.output,
        "--set": given.assignments,
        "--target": given.target,
        "--quality": given.quality,
        **dict.fromkeys(given.source.words[:1], True),
        **settings.kept,
    }
    for option, value in kept.items():
        if value:
            raise UsageError(
                "--resume keeps the settings of the search; what may change are --trials, --time, --workers, "
                "--scheduler, --train, --ensemble and --track",
                hint=f"Remove {option}.",
            )
