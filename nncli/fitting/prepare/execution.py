"""How a training is executed: backend, shards of a batch, and BLAS threads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Literal

from nncli.base.errors import Location, RunError, config_error
from nncli.base.findings import Finding, FindingCode, note, ordered
from nncli.base.threads import limit_blas_threads
from nncli.fitting.prepare.auto_values import likely_epochs
from nncli.fitting.prepare.prepare import PreparedTraining
from nncli.nn.arrays import Backend
from nncli.nn.network import Network
from nncli.nn.training.compiled.support import installed, is_worthwhile, load, unsupported_reason

MEMBERS_OF_A_PROCESS = 3
"""Members of an ensemble that share the time of loading the compiled loops, about."""
COMPILING = note(FindingCode.EXECUTION, "compiling the training loops, which takes some seconds and is done once")


@dataclass(frozen=True)
class Execution:
    """Backend, shards and BLAS threads; they affect rounding, so a run keeps them when it is resumed."""

    backend: Backend
    n_shards: int
    blas_threads: int

    def check_available(self, run: str) -> None:
        """Check that the backend with which a `run` was started is available, so that resuming gives the same bits.

        Raises:
            RunError: the backend is missing.
        """
        obstacle = load(self.backend)
        if obstacle is not None:
            raise RunError(
                f"the training began with backend {self.backend}, and {obstacle.what}",
                location=Location(source=run),
                hint=f"{obstacle.hint}, or train again from its config.yaml with backend: numpy.",
            )

    @contextmanager
    def activate(self, prepared: PreparedTraining, findings: Iterable[Finding] = ()) -> Iterator[PreparedTraining]:
        """Limit the BLAS threads, and yield the training with this execution and further `findings`.

        The backend must have been loaded.
        """
        arguments = replace(prepared.arguments, backend=self.backend, n_shards=self.n_shards)
        all_findings = (*prepared.findings, *findings, *([COMPILING] if self._compiles() else []))
        with limit_blas_threads(self.blas_threads):
            yield replace(prepared, arguments=arguments, findings=ordered(all_findings))

    def _compiles(self) -> bool:
        if self.backend == "numpy":
            return False
        from nncli.nn.training.compiled.bridge import is_cached

        return not is_cached()


def choose_execution(prepared: PreparedTraining) -> tuple[Execution, Finding | None]:
    """The configured execution, or the fastest for a training of this size, and a note if Numba does not work.

    Raises:
        ConfigError: `backend: numba`, and Numba is missing, does not work, or does not support the network.
    """
    arguments = prepared.arguments
    threads = choose_threads(prepared.config.threads, arguments.network, arguments.batch_size)
    backend, finding = _choose_backend(prepared)
    return Execution(backend, threads.n_shards, threads.blas), finding


def _choose_backend(prepared: PreparedTraining) -> tuple[Backend, Finding | None]:
    arguments, configured = prepared.arguments, prepared.config.backend
    if configured == "numpy":
        return "numpy", None
    unknown = unsupported_reason(arguments.network, arguments.loss, arguments.optimizer)
    if configured == "auto":
        epochs = likely_epochs(arguments.schedule, arguments.epochs)
        steps = epochs * -(-len(prepared.fitted) // arguments.batch_size)
        if epochs > arguments.epochs:  # a member that is trained cycle by cycle
            steps *= MEMBERS_OF_A_PROCESS
        if unknown or not installed() or not is_worthwhile(arguments.network, arguments.batch_size, steps):
            return "numpy", None
        obstacle = load("numba")
        if obstacle is None:
            return "numba", None
        message, hint = (
            f"computing with NumPy: {obstacle.what}",
            f"{obstacle.hint} for more speed, or set backend: numpy.",
        )
        return "numpy", note(FindingCode.EXECUTION, message, hint=hint)
    if unknown:
        raise config_error("backend", f"the compiled loops do not support {unknown}", "Use backend: auto, or numpy.")
    obstacle = load("numba")
    if obstacle is not None:
        raise config_error("backend", obstacle.what, f"{obstacle.hint}, or use backend: auto.")
    return "numba", None


MIN_PARALLEL_MULTIPLICATIONS = 1 << 24
"""Multiplications in the forward pass of a batch above which two threads pay off; measured on two cores."""
DEFAULT_SHARDS = 2
"""Shards of a batch by default: the same on every machine, since it affects the last bits."""


@dataclass(frozen=True)
class Threads:
    """The number of shards of a batch, one thread each, and of BLAS threads; one of the two is 1."""

    n_shards: int
    blas: int


def choose_threads(threads: int | Literal["auto"], network: Network, batch_rows: int) -> Threads:
    """The number of threads that the configuration names; with auto `DEFAULT_SHARDS` for long steps, else 1.

    It depends on the configuration and the network alone, not on the machine, so that the same training has the same
    bits on any number of cores.
    """
    if threads == "auto":
        threads = 1 if batch_rows * network.layout.n_decayed < MIN_PARALLEL_MULTIPLICATIONS else DEFAULT_SHARDS
    if network.mixes_rows:
        return Threads(n_shards=1, blas=threads)
    return Threads(n_shards=min(threads, batch_rows), blas=1)
