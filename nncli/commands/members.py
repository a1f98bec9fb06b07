"""The members of an ensemble: in what their configurations differ, and what has to hold of the whole."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from nncli.commands.choices import mistake_at
from nncli.commands.memory import memory_limit
from nncli.config.schema import Config, ValidationFile
from nncli.data.folds import Bootstrap, Fold
from nncli.data.sources import is_stream
from nncli.runs.manifest import member_folder


def check_members(config: Config) -> None:
    """Make sure that a configuration with members can be one of each.

    Raises:
        ConfigError: the bagging does not go with the validation or the table.
    """
    if is_stream(Path(config.data.path)):
        raise mistake_at("data.path", "every member reads the table, and a pipe can be read but once", "Name a file.")
    own = "each member holds out another fold" if config.bagging == "folds" else "each member holds out what it misses"
    if config.bagging == "seeds":
        return
    hint = "Leave validation out, or set bagging: seeds."
    if isinstance(config.validation, ValidationFile):
        raise mistake_at("validation", f"{own}, so the rows cannot come from a file of their own", hint)
    if config.validation == 0.0 or isinstance(config.validation, Fold | Bootstrap):
        raise mistake_at(
            "validation", f"{own}: with members and bagging {config.bagging} nothing else can be said", hint
        )
    if config.data.time is not None:
        raise mistake_at(
            "bagging",
            f"with data.time no member may hold out what others train on, as {config.bagging} would have it",
            "Set bagging: seeds.",
        )


def member_config(config: Config, i: int, run: Path, side_by_side: int) -> Config:
    """The configuration of member `i`, from 0, of the ensemble in the directory `run`: that of one network.

    So many members share the memory that is free.
    """
    of_member: dict[str, Callable[[], object]] = {
        "folds": lambda: Fold(folds=config.members, fold=i, seed=config.seed),
        "seeds": lambda: config.validation,
        "bootstrap": lambda: Bootstrap(bootstrap=config.seed + i),
    }
    limit = memory_limit(config) / side_by_side
    return config.model_copy(
        update={
            "data": config.data.model_copy(update={"path": str(Path(config.data.path).absolute())}),
            "validation": of_member[config.bagging](),
            "members": 1,
            "bagging": "folds",
            "workers": "auto",
            "seed": config.seed + i,
            "threads": 1 if config.threads == "auto" else config.threads,
            "memory_limit": f"{int(limit)} B" if side_by_side > 1 and limit < 1e12 else config.memory_limit,
            "output": str(run / member_folder(i)),
        }
    )
