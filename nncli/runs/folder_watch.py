"""Noticing that a run directory was moved or deleted while a training writes it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from nncli.base.errors import Location, RunError

SECONDS_BETWEEN_CHECKS = 0.25


@dataclass(frozen=True)
class FolderIdentity:
    """The device and inode of a folder, which do not change when it is renamed."""

    device: int
    inode: int

    @classmethod
    def of(cls, path: Path) -> FolderIdentity:
        """The identity of the folder at `path`; OSError if there is none."""
        status = path.stat()
        return cls(status.st_dev, status.st_ino)

    def check(self, path: Path) -> None:
        """Raise a RunError unless `path` is this folder."""
        try:
            in_place = FolderIdentity.of(path) == self
        except (FileNotFoundError, NotADirectoryError):
            in_place = False
        except OSError:  # a passing fault of the file system; a write will say more
            return
        if not in_place:
            raise RunError(
                "the run directory was moved or deleted while it was being written",
                location=Location(source=str(path)),
                hint="If it was moved, continue from its last checkpoint: nncli train --resume NEW_PATH",
            )


def watched(identity: FolderIdentity, path: Path, stop: Callable[[], bool]) -> Callable[[], bool]:
    """`stop`, which a training calls after every batch, with a check of the folder a few times a second."""
    next_check = 0.0

    def check_and_stop() -> bool:
        nonlocal next_check
        now = time.monotonic()
        if now >= next_check:
            next_check = now + SECONDS_BETWEEN_CHECKS
            identity.check(path)
        return stop()

    return check_and_stop
