"""How a training is computed: by what, in how many parts, on how many threads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from nncli.errors import Location, RunError, config_error
from nncli.nn.arrays import Backend
from nncli.pipeline.prepare.prepare import PreparedTraining
from nncli.training.compiled.support import installed, is_worthwhile, load, unsupported_reason
from nncli.training.thread_policy import choose_threads
from nncli.utils.threads import limit_blas_threads

COMPILING = "compiling the fast path, which takes some seconds and is done once"


@dataclass(frozen=True)
class Execution:
    """What shapes the last bits of a training beside its configuration; a run keeps it for as long as it is trained."""

    backend: Backend
    n_shards: int
    threads: int

    def check_available(self, run: str) -> None:
        """Make sure that a `run` can go on as it began: anything else would lead to other bits.

        Raises:
            RunError: its backend is not there.
        """
        obstacle = load(self.backend)
        if obstacle is not None:
            raise RunError(
                f"the training began with backend {self.backend}, and {obstacle.what}",
                place=Location(source=run),
                hint=f"{obstacle.hint}, or train again from its config.yaml with backend: numpy.",
            )

    @contextmanager
    def activate(self, prepared: PreparedTraining, notes: Iterable[str] = ()) -> Iterator[PreparedTraining]:
        """The training as it is to be computed, with more `notes`, while the BLAS is held to its threads.

        The backend has been loaded.
        """
        plan = replace(prepared.arguments, backend=self.backend, n_shards=self.n_shards)
        more = (*notes, *([COMPILING] if self._compiles() else []))
        with limit_blas_threads(self.threads):
            yield replace(prepared, arguments=plan, notes=prepared.notes + more)

    def _compiles(self) -> bool:
        if self.backend == "numpy":
            return False
        from nncli.training.compiled.bridge import is_cached

        return not is_cached(self.n_shards)


def choose_execution(prepared: PreparedTraining, notes: list[str]) -> Execution:
    """What the configuration asks for, or what is fastest for a training of this size.

    Raises:
        ConfigError: `backend: numba`, and Numba is missing or does not work, or the network is not one that it knows.
    """
    plan, config = prepared.arguments, prepared.config
    threads = choose_threads(config.threads, plan.network, plan.batch_size)
    return Execution(_choose_backend(prepared, notes), threads.n_shards, threads.blas)


def _choose_backend(prepared: PreparedTraining, notes: list[str]) -> Backend:
    plan, wanted = prepared.arguments, prepared.config.backend
    if wanted == "numpy":
        return "numpy"
    unknown = unsupported_reason(plan.network, plan.loss, plan.optimizer)
    if wanted == "auto":
        steps = plan.epochs * -(-len(prepared.training) // plan.batch_size)
        if unknown or not installed() or not is_worthwhile(plan.network, plan.batch_size, steps):
            return "numpy"
        obstacle = load("numba")
        if obstacle is None:
            return "numba"
        notes.append(f"computing with NumPy: {obstacle.what}. {obstacle.hint} for more speed, or set backend: numpy")
        return "numpy"
    if unknown:
        raise config_error("backend", f"the compiled loops do not know {unknown}", "Use backend: auto, or numpy.")
    obstacle = load("numba")
    if obstacle is not None:
        raise config_error("backend", obstacle.what, f"{obstacle.hint}, or use backend: auto.")
    return "numba"
