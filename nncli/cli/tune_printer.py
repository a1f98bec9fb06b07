"""Prints the events of a search: findings, progress, notes and the result."""

from __future__ import annotations

import shlex
from collections.abc import Generator, Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from nncli.cli.findings import FindingPrinter
from nncli.cli.signals import EventPrinter, StoppedError, renamed_run_note

if TYPE_CHECKING:
    from nncli.api.tune import TuneEnded, TuneEvent
    from nncli.cli.progress.search import LiveSearch, PlainSearch
    from nncli.cli.progress.search_json import SearchJsonLines
    from nncli.fitting.train.events import TrackingStopped
    from nncli.tuning.ensemble.selected_ensemble import SelectedEnsemble
    from nncli.tuning.events import SearchStarted
    from nncli.tuning.tune_result import TuneResult


class SearchPrinter(EventPrinter):
    """Prints the events of a search; with `as_json` as JSON lines on stdout. `requested` is the directory of -o."""

    def __init__(self, quiet: bool, *, as_json: bool, requested: Path | None) -> None:
        super().__init__(quiet)
        self.as_json = as_json
        self.is_drafted = False
        """Whether the configuration has no file but that of the search."""
        self._requested = requested
        self.findings = FindingPrinter(quiet)

    def run(self, events: Generator[TuneEvent, None, None]) -> TuneResult:
        """Print the events and the result, and return it.

        Raises:
            StoppedError: a signal stopped the search.
        """
        from nncli.api.tune import TuneEnded
        from nncli.cli.tune_result import notes_on, result_text
        from nncli.fitting.train.events import TrackingStopped
        from nncli.runs.filenames import CONFIG
        from nncli.tuning.events import SearchEnded, SearchStarted

        ended: TuneEnded | None = None
        progress: PlainSearch | LiveSearch | SearchJsonLines | None = None
        with ExitStack() as stack:
            stack.callback(events.close)
            for event in events:
                if isinstance(event, SearchStarted):
                    self._stop_request = stack.enter_context(self.until_asked_to_stop("tune", event.path))
                    self.findings.show(event.findings)
                    self._print_notes(renamed_run_note(self._requested, event.path))
                    if self.is_drafted:
                        self._print_notes([f"to edit the whole search: {event.path / CONFIG}"])
                    progress = self._progress(event, stack)
                elif isinstance(event, TrackingStopped):
                    self._print_failure(event)
                elif isinstance(event, TuneEnded):
                    ended = event
                    if progress is not None:
                        progress.end(event)
                elif progress is not None and not isinstance(event, SearchEnded):
                    progress.update(event)
        assert ended is not None, "a search ends with TuneEnded or an error"
        if ended.result is None:
            raise self._stopped(ended.path)
        self._print_notes(notes_on(ended.result))
        if not self.as_json:
            typer.echo(result_text(ended.result).encode("utf-8", "backslashreplace"))
        return ended.result

    def show_ensemble(self, ensemble: SelectedEnsemble) -> None:
        """Print which trials were selected, and the path of the run directory."""
        from nncli.cli.console import echo_err, print_path
        from nncli.cli.progress.search_json import write_ensemble
        from nncli.cli.tune_result import ensemble_text

        if self.as_json:
            write_ensemble(ensemble)
            return
        if not self.quiet:
            echo_err(ensemble_text(ensemble))
        print_path(ensemble.path)

    def _print_failure(self, event: TrackingStopped) -> None:
        """Print the warning about a tracker, with JSON lines also as an event."""
        from nncli.cli.progress.json_events import JsonLines

        self.findings.show([event.finding])
        if self.as_json:
            JsonLines().write(event)

    def _progress(self, started: SearchStarted, stack: ExitStack) -> PlainSearch | LiveSearch | SearchJsonLines | None:
        """The display of the progress, which the stack closes."""
        from nncli.cli.console import terminal
        from nncli.cli.progress.search import LiveSearch, PlainSearch
        from nncli.cli.progress.search_json import SearchJsonLines

        if self.as_json:
            return SearchJsonLines(started)
        if self.quiet:
            return None
        console = terminal()
        progress = LiveSearch(started, console) if console else PlainSearch(started)
        stack.callback(progress.close)
        return progress

    def _stopped(self, path: Path) -> StoppedError:
        """The error of a search that a signal stopped."""
        from nncli.tuning.trials.record import BEST

        number = self._stop_request.number if self._stop_request else None
        hint = f"To resume: nncli tune --resume {shlex.quote(str(path))}"
        if (path / BEST).exists():
            hint += f"\n  The best configuration so far: {path / BEST}"
        return StoppedError("stopped; all trials are saved", number=number or 2, hint=hint)

    def _print_notes(self, notes: Iterable[str]) -> None:
        from nncli.cli.console import echo_err

        for note in () if self.quiet else notes:
            echo_err(note if note.startswith("warning: ") else f"note: {note}")
