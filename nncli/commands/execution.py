"""How a training is computed: by what, in how many parts, on how many threads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from nncli.commands.choices import mistake_at
from nncli.commands.prepare import Prepared
from nncli.training.backend import Backend, hindrance, installed, load, pays
from nncli.training.threads import choose_threads, held_to


@dataclass(frozen=True)
class Execution:
    """What shapes the last bits of a training beside its configuration; a run keeps it for as long as it is trained."""

    backend: Backend
    parts: int
    threads: int

    @contextmanager
    def hold(self, prepared: Prepared) -> Iterator[Prepared]:
        """The training as it is to be computed, while the threads of the BLAS are held to their number."""
        load(self.backend)
        with held_to(self.threads):
            yield replace(prepared, plan=replace(prepared.plan, backend=self.backend, parts=self.parts))


def choose_execution(prepared: Prepared) -> Execution:
    """What the configuration asks for, or what is fastest for a training of this size.

    Raises:
        ConfigError: `backend: numba`, and Numba is missing, or the network is not one that it knows.
    """
    plan, config = prepared.plan, prepared.config
    threads = choose_threads(config.threads, plan.network, plan.batch_size)
    return Execution(_choose_backend(prepared), threads.parts, threads.blas)


def _choose_backend(prepared: Prepared) -> Backend:
    plan, wanted = prepared.plan, prepared.config.backend
    if wanted == "numpy":
        return "numpy"
    obstacle = hindrance(plan.network, plan.loss, plan.optimizer)
    if wanted == "auto":
        steps = plan.epochs * -(-len(prepared.training) // plan.batch_size)
        return "numba" if not obstacle and installed() and pays(plan.network, plan.batch_size, steps) else "numpy"
    if not installed():
        raise mistake_at("backend", "Numba is not installed", "Run pip install 'nncli-train[fast]', or use auto.")
    if obstacle:
        raise mistake_at("backend", f"the compiled loops do not know {obstacle}", "Use backend: auto, or numpy.")
    return "numba"
