"""Prints the events of a search: findings, progress, notes and the result."""

from __future__ import annotations

import re
import shlex
from collections import defaultdict
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from nncli.api.training_input import Drafted
from nncli.api.tune import TuneEnded, TuneEvent
from nncli.base.logs import format_duration
from nncli.base.text import escape_unprintable
from nncli.cli.console import format_number, print_path
from nncli.cli.printer import Printer
from nncli.cli.progress.json_events import JsonLines, SearchJsonLines, write_ensemble
from nncli.cli.progress.search import SearchStatus
from nncli.cli.progress.status import Live, Plain, Work
from nncli.cli.shared_arguments import DisplayOptions
from nncli.cli.tables import table
from nncli.run_directory.filenames import CONFIG
from nncli.tuning.search import SearchStarted
from nncli.tuning.trials import BEST

if TYPE_CHECKING:
    from nncli.tuning.selected_ensemble import SelectedEnsemble
    from nncli.tuning.trials import Trial
    from nncli.tuning.tune_result import TuneResult


class SearchPrinter(Printer):
    """Prints a search; with `as_json` as JSON lines on stdout."""

    def __init__(self, display: DisplayOptions, *, as_json: bool) -> None:
        super().__init__(display, "tune")
        self.as_json = as_json
        self._is_drafted = False

    def run(self, events: Generator[TuneEvent, None, None]) -> TuneResult:
        """Print the events and the result, and return it.

        Raises:
            StoppedError: a signal stopped the search.
        """
        ended = self.follow(events, TuneEnded)
        assert ended is not None, "a search ends with TuneEnded or an error"
        if isinstance(self.progress, SearchJsonLines):
            self.progress.end(ended)
        if ended.result is None:
            best = ended.path / BEST
            more = f"\n  The best configuration so far: {best}" if best.exists() else ""
            raise self.stopped("stopped; all trials are saved", ended.path, more)
        for note in notes_on(ended.result):
            self.display.say(note if note.startswith("warning: ") else f"note: {note}")
        if not self.as_json:
            typer.echo(result_text(ended.result).encode("utf-8", "backslashreplace"))
        return ended.result

    def show(self, event: Any, stack: ExitStack) -> None:
        """Print an event."""
        if isinstance(event, SearchStarted):
            self.begin(event, event.path, SearchStatus(event), stack)
            if self._is_drafted:
                self.display.note(f"to edit the whole search: {event.path / CONFIG}")
        else:
            super().show(event, stack)

    def show_draft(self, drafted: Drafted) -> None:
        """Print how a configuration was drafted."""
        self._is_drafted = True
        super().show_draft(drafted)

    def progress_of(self, work: Work, stack: ExitStack) -> Plain | Live | JsonLines | SearchJsonLines | None:
        """JSON lines, or a display."""
        if self.as_json and isinstance(work, SearchStatus):
            return SearchJsonLines(work)
        return super().progress_of(work, stack)

    def show_ensemble(self, ensemble: SelectedEnsemble) -> None:
        """Print which trials were selected, and the path of the run directory."""
        if self.as_json:
            write_ensemble(ensemble)
            return
        self.display.say(ensemble_text(ensemble))
        print_path(ensemble.path)


MAX_NUMBERS = 10
"""Failed trials that are named by their numbers."""
MIN_LATE = 1.0
"""Seconds beyond the time limit from which they are printed."""
MAX_REASONS = 3
"""Reasons of failures that are printed."""


def result_text(result: TuneResult) -> str:
    """The scores of the best trial and of trial 0, the values that were changed, and where the configuration is."""
    best, first = result.best, result.first
    where = escape_unprintable(str(result.best_config))
    if best.number == 0:
        score = format_number(first.score)
        return f"no trial is better than the configuration itself: {result.metric} {score}\n{where}"
    lines = [
        ["", f"trial {best.number}", "trial 0", "gain"],
        [result.metric, format_number(best.score), format_number(first.score), format_number(result.apparent_gain)],
    ]
    if result.baseline_score is not None:
        lines = [
            [*line, cell] for line, cell in zip(lines, ["baseline", format_number(result.baseline_score)], strict=True)
        ]
    changed = result.values.changed(best)
    values = [["changed", f"trial {best.number}", "trial 0"]]
    values += [[name, label, result.values.base(name)] for name, label in changed.items()]
    escaped = [[escape_unprintable(cell) for cell in line] for line in values]
    gain = result.corrected_gain
    parts = [table(lines), *([] if gain is None else [gain.sentence]), table(escaped), where]
    return "\n\n".join(parts)


def notes_on(result: TuneResult) -> Iterator[str]:
    """How the search ended, and what failed or was pruned."""
    finished = [trial for trial in result.trials if trial.is_finished]
    if result.timed_out:
        yield (
            f"the time limit ended the search after {counted(len(finished), 'trial')}{_late(result.seconds_late)}; "
            "how many there are depends on the machine, so this result is not repeatable"
        )
    if result.exhausted:
        n = result.combinations
        yield f"all {n:,} combinations of values have been tried" if n > 1 else "the only combination has been tried"
    if result.is_worse_than_baseline:
        yield (
            f"warning: the best trial is no better than the baseline, a prediction that is the same for every row "
            f"({result.metric} {format_number(result.baseline_score)}), so the columns may not predict the target"
        )
    yield from _failures([trial for trial in finished if trial.state == "failed"])
    if result.message is not None:
        yield f"whether the gain is significant is not known: {result.message}"
    saved = result.time_saved
    if saved is not None:
        yield (
            f"pruning ended {saved.trials:,} trial{'s' if saved.trials > 1 else ''} early and saved about "
            f"{format_duration(saved.seconds)}, {saved.share:.0%} of the training time (an estimate by their folds)"
        )


def counted(number: int, noun: str) -> str:
    """A number with its noun.

    >>> counted(1, "trial"), counted(2000, "trial")
    ('1 trial', '2,000 trials')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _late(seconds: float) -> str:
    """How long trials took that had begun before the limit."""
    return f", and those that had begun took {format_duration(seconds)} more" if seconds >= MIN_LATE else ""


def _failures(trials: Sequence[Trial]) -> Iterator[str]:
    """Why trials failed, once for reasons that differ in numbers alone."""
    reasons: dict[str, list[Trial]] = defaultdict(list)
    for trial in trials:
        reasons[re.sub("[0-9]+", "0", trial.message or "")].append(trial)
    for alike in [*reasons.values()][:MAX_REASONS]:
        numbers = ", ".join(str(trial.number) for trial in alike[:MAX_NUMBERS])
        others = f" and {len(alike) - MAX_NUMBERS:,} more" if len(alike) > MAX_NUMBERS else ""
        yield f"trial{'s' if len(alike) > 1 else ''} {numbers}{others} failed: {alike[0].message}"
    if len(reasons) > MAX_REASONS:
        yield f"{len(reasons) - MAX_REASONS:,} more reasons why trials failed are in the files of trials/"


def next_commands(result: TuneResult, ensemble_run: Path | None, *, is_trained: bool) -> Iterator[str]:
    """The commands that use the result of a search, by what has been made of it."""
    search = shlex.quote(str(result.path))
    if ensemble_run is not None:
        ensemble = shlex.quote(str(ensemble_run))
        yield f"nncli predict {ensemble} NEW_TABLE"
        if is_trained:
            run = shlex.quote(str(result.trained_run))
            yield f"nncli compare {run} {ensemble} --data NEW_TABLE, which says which of the two predicts better"
    elif not is_trained:
        yield f"nncli report {search}, or nncli train {shlex.quote(str(result.best_config))}"
        yield f"nncli tune --resume {search} --ensemble 10, for more networks, without further training"


def ensemble_text(ensemble: SelectedEnsemble) -> str:
    """The trials of an ensemble and how often each was picked, and its loss beside that of the best trial."""
    if len(ensemble.picks) == 1:
        return f"all picks are of trial {ensemble.picks[0][0]}, so that the ensemble is its networks alone"
    picks = ", ".join(f"{number}{f' ({count} times)' if count > 1 else ''}" for number, count in ensemble.picks)
    return f"ensemble of the trials {picks}\n{ensemble.sentence}"
