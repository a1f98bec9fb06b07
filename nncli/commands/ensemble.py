"""`nncli train` with members: several networks trained side by side, and what they say together."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path

from nncli.commands.control import Control
from nncli.commands.execution import Execution
from nncli.commands.executors import workers_for
from nncli.commands.members import check_members, member_config
from nncli.commands.progress import MembersStarted
from nncli.commands.session import Event, Finished, ScoreCard, card_json
from nncli.commands.side_by_side import Work
from nncli.commands.survey import Survey
from nncli.commands.tasks import Task
from nncli.commands.train import first_manifest, in_words, same_tables, unchanged
from nncli.config.schema import Config, ValidationFile
from nncli.data.scratch import Scratch, folder_beside
from nncli.ensemble import Ensemble
from nncli.errors import NncliError
from nncli.files import together
from nncli.model import Model
from nncli.runs.directory import Run
from nncli.runs.manifest import Manifest, Status, member_folder

WORK = ".work"
"""The folder in an ensemble's directory through which its members are heard of while they are trained."""


def train_ensemble(
    config: Config, wanted: Path, command: Sequence[str], stop: Callable[[], bool], scheduler: str | None
) -> Generator[Event, None, None]:
    """Train all members, and make them one: `MembersStarted`, `MembersProgress` a few times a second, `Finished`."""
    check_members(config)
    began = datetime.now(UTC)
    with Scratch(folder_beside(wanted)) as scratch:
        survey = Survey.of(config, scratch)
        manifest = first_manifest(
            config,
            began,
            command,
            Execution("numpy", 1, 1),  # each member has its own
            table_rows=survey.table_rows,
            training_rows=len(survey.table),
            validation_rows=survey.validation_rows,
            features=0,
            parameters=0,
        )
        with Run.create(wanted, config, None, manifest) as run:
            yield from _assemble(survey, run, manifest, stop, scheduler)


def resume_ensemble(
    run: Run, assignments: Sequence[str], command: Sequence[str], stop: Callable[[], bool], scheduler: str | None
) -> Generator[Event, None, None]:
    """Go on with all members that are not done; see `nncli.commands.train.resume_events`."""
    with run.locked(), Scratch(run.path) as scratch:
        manifest = run.load_manifest()
        run.clear_leftovers()
        config = unchanged(run, manifest, assignments)
        same_tables(config, manifest)
        survey = Survey.of(config, scratch)
        going_on = {"status": "running", "command": in_words(command) or manifest.command}
        manifest = manifest.model_copy(update=going_on)
        run.save_manifest(manifest)
        run.save_config(config)
        run.drop_spec()
        yield from _assemble(survey, run, manifest, stop, scheduler)


def _assemble(
    survey: Survey, run: Run, manifest: Manifest, stop: Callable[[], bool], scheduler: str | None
) -> Generator[Event, None, None]:
    """Train the members, and leave the run directory complete, whatever ends the training."""
    clock, config = time.perf_counter(), survey.config
    path, at_a_time = run.path.absolute(), 1 if scheduler else workers_for(config.members, config.workers)
    configs = [member_config(config, i, path, at_a_time) for i in range(config.members)]
    tasks = [Task(i, member, str(path / member_folder(i))) for i, member in enumerate(configs)]
    work = Work(tasks, Control(path / WORK), config.workers, scheduler, stop)

    def close(status: Status, **more: object) -> None:
        """Write the manifest, with what is known of the members."""
        ended = {
            "status": status,
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            "seconds": round((manifest.seconds or 0.0) + time.perf_counter() - clock, 3),
            "epochs": max((outcome.epochs for outcome in work.outcomes.values()), default=manifest.epochs),
            "best_epoch": max((outcome.best_epoch for outcome in work.outcomes.values()), default=0),
        }
        run.save_manifest(manifest.model_copy(update={**ended, **more}))

    cards: tuple[ScoreCard | None, ScoreCard | None] = None, None
    try:
        yield MembersStarted(run.path, config.members, work.workers, survey.notes)
        with closing(work.run()) as progress:
            yield from progress
        done = all(outcome.status == "done" for outcome in work.outcomes.values())
        if done:
            models = tuple(_only(Run(Path(task.path)).load_model()) for task in tasks)
            ensemble = Ensemble(survey.spec(), models)
            on_all, on_held = cards = survey.judge(ensemble, configs)
            with together():
                run.save_metrics({"training": card_json(on_all), "validation": _of_held(card_json(on_held), config)})
                run.save_spec(ensemble.spec)
            features = len({column.name for model in models for column in model.spec.encoder.columns})
            parameters = sum(model.spec.network.layout.size for model in models)
            close("done", features=features, parameters=parameters)
        else:
            close("stopped")
    except BaseException as error:  # also a signal that insists, or a reader of these events who leaves
        with suppress(NncliError, OSError, MemoryError):
            close("failed" if isinstance(error, Exception) else "stopped")
        raise

    yield Finished(
        run=run.path,
        status="done" if done else "stopped",
        epochs=max(outcome.epochs for outcome in work.outcomes.values()),
        best_epoch=max(outcome.best_epoch for outcome in work.outcomes.values()),
        seconds=time.perf_counter() - clock,
        training=cards[0],
        validation=cards[1],
    )


def _only(model: Model | Ensemble) -> Model:
    assert isinstance(model, Model), "a member is one network"
    return model


def _of_held(card: dict[str, object] | None, config: Config) -> dict[str, object] | None:
    """The scores on the rows that were held out, and by whom each of them is predicted there."""
    if card is None:
        return None
    every = isinstance(config.validation, ValidationFile) and config.bagging == "seeds"
    return {**card, "predicted_by": "all members" if every else "the members that held the row out"}
