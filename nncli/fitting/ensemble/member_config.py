"""The configurations of an ensemble's members, and the checks of an ensemble's configuration."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from nncli.base.errors import config_error
from nncli.config.loading import load_config
from nncli.config.schema import Config, ValidationFile
from nncli.data.sources.open import open_reader
from nncli.data.splitting.folds import Bootstrap, Fold
from nncli.fitting.prepare.encode import memory_limit
from nncli.nn.optim.schedules import CoslogRate
from nncli.runs.manifest import CONFIG, member_folder

MAX_MEMORY_LIMIT = 1e12
"""Bytes; a higher memory limit counts as none."""


MIN_MEMBERS_OF_A_SHARED_FOLD = 6
"""With fewer members a fold fewer would cost too many training rows."""


def check_members(config: Config) -> None:
    """Check that the bagging of an ensemble fits its validation and its table.

    Raises:
        ConfigError: the bagging does not fit the validation or the table.
    """
    check_table(config)
    reason = (
        "each member holds out another fold"
        if config.bagging_mode == "folds"
        else "each member holds out what it misses"
    )
    if config.bagging_mode == "seeds":
        return
    hint = "Leave validation out, or set bagging: seeds."
    if isinstance(config.validation, ValidationFile):
        raise config_error("validation", f"{reason}, so the rows cannot come from a file of their own", hint)
    if config.validation == 0.0 or isinstance(config.validation, Fold | Bootstrap):
        raise config_error(
            "validation",
            f"{reason}: with members and bagging {config.bagging_mode} no other validation is possible",
            hint,
        )
    if config.data.time is not None:
        raise config_error(
            "bagging",
            f"with data.time no member may hold out what others train on, as {config.bagging_mode} would have it",
            "Set bagging: seeds.",
        )


def check_table(config: Config) -> None:
    """Check that several trainings can read the table; ConfigError for a pipe."""
    if open_reader(config.data.source).is_read_once:
        raise config_error(
            "data.path", "every training reads the table, and a pipe can only be read once", "Name a file."
        )


def number_of_folds(members: int) -> int:
    """The number of folds of an ensemble: from six members on one fewer, so that two members hold out the first fold.

    Their predictions of it show how much the members differ on new rows; see nncli/targets/metrics/calibration.py.
    """
    return members - 1 if members >= MIN_MEMBERS_OF_A_SHARED_FOLD else members


def recorded_folds(run: Path, config: Config) -> int:
    """The number of folds of an ensemble in the directory `run`, as its first member records it."""
    path = run / member_folder(0) / CONFIG
    validation = load_config(path).validation if path.exists() else None
    return validation.folds if isinstance(validation, Fold) else number_of_folds(config.n_members)


def has_joint_epoch(config: Config) -> bool:
    """Whether one epoch is chosen for all members, by the out-of-fold rows of all.

    With early stopping, or where the members do not hold out folds, each member has its own best epoch.
    """
    return config.bagging_mode == "folds" and config.early_stopping is None and config.metric != "loss"


def chooses_cycles(config: Config) -> bool:
    """Whether the out-of-fold rows of all members choose the number of cycles of the learning rate."""
    schedule = config.schedule
    has_cycles = isinstance(schedule, CoslogRate) and schedule.first_cycle == "auto"
    return has_cycles and config.epochs == "auto" and has_joint_epoch(config)


def member_config(config: Config, i: int, run: Path, at_a_time: int, folds: int | None = None) -> Config:
    """The configuration of member `i`, from 0, of the ensemble in the directory `run`, for training one network."""
    folds = folds or number_of_folds(config.n_members)
    of_member: dict[str, Callable[[], object]] = {
        "folds": lambda: Fold(folds=folds, fold=i % folds, seed=config.seed),
        "seeds": lambda: config.validation,
        "bootstrap": lambda: Bootstrap(bootstrap=config.seed + i),
    }
    overrides = {"validation": of_member[config.bagging_mode](), "seed": config.seed + i}
    member = config.model_copy(
        update={**overrides, "members": 1, "bagging": "auto", "workers": "auto", "calibration": "none"}
    )
    return as_subtask(member, output=str(run / member_folder(i)), at_a_time=at_a_time)


def with_cycles(member: Config, first_cycle: int, cycles: int) -> Config:
    """The configuration of a member that is trained for a number of cycles, the first one `first_cycle` epochs long.

    A member of more cycles begins with the same steps, so a trained one can be resumed.
    """
    schedule = member.schedule.with_auto_cycle(first_cycle)
    return member.model_copy(update={"learning_rate": schedule, "epochs": first_cycle * (2**cycles - 1)})


def as_subtask(config: Config, *, output: str | None = None, at_a_time: int = 1) -> Config:
    """The configuration of one of several trainings: absolute paths, one thread, and a share of the memory limit."""
    limit, validation = memory_limit(config) / at_a_time, config.validation
    if isinstance(validation, ValidationFile):
        validation = validation.model_copy(update=validation.relative_to(Path.cwd()))
    return config.model_copy(
        update={
            "data": config.data.model_copy(update=config.data.relative_to(Path.cwd())),
            "validation": validation,
            "threads": 1 if config.threads == "auto" else config.threads,
            "memory_limit": f"{int(limit)} B" if at_a_time > 1 and limit < MAX_MEMORY_LIMIT else config.memory_limit,
            "output": output or config.output,
        }
    )
