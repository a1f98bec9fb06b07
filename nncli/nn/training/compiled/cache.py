"""Numba's cache of the compiled loops on disk: what is outdated, what is damaged, and one compilation at a time.

Numba compares a cached function with the file it is written in, but not with the files of the functions that it calls.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
import numpy as np
import numpy.typing as npt
from filelock import FileLock, Timeout
from numba.extending import intrinsic

SOURCES = Path(__file__).parent
SECONDS_TO_COMPILE = 300.0
"""Seconds after which a process compiles by itself, rather than wait longer for another one."""


def _changed() -> float:
    """The time of the latest change to a source of the loops."""
    return max(source.stat().st_mtime for source in SOURCES.glob("*.py"))


def _cached(loop: Any, kind: str = "nb?") -> Iterator[Path]:
    """The cached files of all loops, in the folder of `loop`."""
    for source in SOURCES.glob("*.py"):
        yield from Path(loop.stats.cache_path).glob(f"{source.stem}.*.{kind}")


def is_cached(loop: Any) -> bool:
    """Whether `loop` is compiled in this process, or on disk by the present sources."""
    if loop.signatures:
        return True
    with suppress(OSError):
        mine = (file for file in _cached(loop, "nbc") if f".{loop.__name__}-" in file.name)
        return max((file.stat().st_mtime for file in mine), default=0.0) > _changed()
    return False


def remove_outdated(loop: Any) -> None:
    """Remove the files of all loops that are older than a source."""
    with suppress(OSError):
        changed = _changed()
        for file in _cached(loop):
            with suppress(OSError):
                if file.stat().st_mtime <= changed:
                    file.unlink()


def warm_up(loop: Any, call: Callable[[], object]) -> None:
    """Compile `loop`, or load it from the cache, by a `call` that does nothing.

    Processes that begin at the same time compile it once. Cache files that cannot be read, for example after a power
    failure, are removed and compiled again.
    """
    if is_cached(loop):
        _call(loop, call)
        return
    with _one_at_a_time(Path(loop.stats.cache_path)):
        if not is_cached(loop):
            remove_outdated(loop)
        _call(loop, call)


def _call(loop: Any, call: Callable[[], object]) -> None:
    try:
        call()
    except Exception:
        for file in _cached(loop):
            with suppress(OSError):
                file.unlink()
        call()


@contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    """Wait for other processes that compile into the folder; for no longer than a compilation takes."""
    lock = FileLock(folder / "nncli.lock")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(SECONDS_TO_COMPILE)
    except (OSError, Timeout, NotImplementedError):
        yield
        return
    try:
        yield
    finally:
        lock.release()


F = TypeVar("F")
Float32s = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]


def compiled(function: F) -> F:
    """Compile a function, cache it on disk, and run it without Python's lock, so that shards run in parallel."""
    return cast("F", numba.njit(cache=True, nogil=True, error_model="numpy")(function))


def inlined(function: F) -> F:
    """Compile a function into its callers."""
    return cast("F", numba.njit(inline="always", error_model="numpy")(function))


def internal(function: F) -> F:
    """As `compiled`, for a function that only compiled ones call; without Python's call it compiles sooner."""
    options: Any = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
    return cast("F", numba.njit(cache=True, nogil=True, error_model="numpy", **options)(function))


def compiled_sum(function: F) -> F:
    """As `compiled`, for a function that adds up numbers and may do so in another order, several at a time."""
    return cast("F", numba.njit(cache=True, nogil=True, error_model="numpy", fastmath={"reassoc"})(function))


def _borrow(context: Any, array: Any) -> Any:
    """A view that holds no reference, in compiled code: its slices are then not counted. The caller holds the array.

    Counting takes a third of the time of a step of 3 µs.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        view = context.make_array(signature.args[0])(context, builder, value=arguments[0])
        view.meminfo = view.meminfo.type(None)
        view.parent = view.parent.type(None)
        return view._getvalue()

    return array(array), generate


borrow: Any = intrinsic(_borrow)
