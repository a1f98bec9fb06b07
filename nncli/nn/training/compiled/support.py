"""What the compiled loops support, whether they are worthwhile, and whether Numba works here."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.machinery import PathFinder
from importlib.util import find_spec, module_from_spec
from typing import NamedTuple

from nncli.base.spec import Spec
from nncli.nn.arrays import Backend
from nncli.nn.losses import LossBase
from nncli.nn.network import Network
from nncli.nn.numeric_embeddings import PiecewiseLinear
from nncli.nn.optim.optimizers import Adam, OptimizerBase, Sgd
from nncli.nn.training.compiled.blocks import UnsupportedError, blocks_of

COMPILED_OPTIMIZERS = (Sgd, Adam)  # AdamW is an Adam

SECONDS_SAVED_PER_STEP = 10e-6
SECONDS_SAVED_PER_MULTIPLICATION = 2.5e-12
"""Seconds that compiled loops save in a step, and for each multiplication of its forward pass."""
SECONDS_SAVED_PER_PARAMETER = 0.5e-9
SECONDS_SAVED_PER_VALUE = 1.5e-9
"""The same in networks with embeddings, dropout or other activations: for each parameter, and for each value of a row

that is embedded or has a stored derivative."""
STARTUP_SECONDS = 0.6
"""Seconds that the loops must save: loading them takes 0.3, and compiling them once takes 15."""


def unsupported_reason(network: Network, loss: LossBase, optimizer: OptimizerBase) -> str | None:
    """Why the compiled loops cannot run this training; None if they can."""
    if network.precision != "float32":
        return f"precision {network.precision}"
    if network.output_activation is not None:
        return "an output_activation"
    if not network.input_width:
        return "a network without inputs"
    embedding = network.numeric_embedding
    if embedding and network.embedded_numeric and not isinstance(embedding, PiecewiseLinear):
        return f"a numeric_embedding of type {embedding.type}"
    for part in _specs((network.layers, embedding, loss, optimizer)):
        if not type(part).__module__.startswith("nncli."):  # whatever it inherits, it may compute something else
            return f"{part.model_dump()['type']}, which is of a plugin"
    try:
        blocks_of(network)
    except UnsupportedError as error:
        return str(error)
    if loss.kernel(network.n_outputs) is None:
        return f"{loss.model_dump()['type']}"
    return None if isinstance(optimizer, COMPILED_OPTIMIZERS) else f"{optimizer.model_dump()['type']}"


def _specs(value: object) -> Iterator[Spec]:
    """The specifications in a value, and in their fields."""
    if isinstance(value, Spec):
        yield value
        value = tuple(getattr(value, name) for name in type(value).model_fields)
    for inner in value if isinstance(value, tuple) else ():
        yield from _specs(inner)


def installed() -> bool:
    """Whether Numba is installed, and SciPy, through which it calls the BLAS."""
    return find_spec("numba") is not None and find_spec("scipy") is not None


LONG_STEP_MULTIPLICATIONS = 1 << 31
"""Multiplications of a forward pass above which a step takes a fraction of a second, nearly all of it in the BLAS."""


def is_worthwhile(network: Network, batch_rows: int, steps: int) -> bool:
    """Whether the loops, which support the network, save more time than Numba takes to load, and each step is short.

    A running loop handles no signals; in long steps there is little to gain, and NumPy handles signals in between.
    """
    products = batch_rows * network.layout.n_decayed
    seconds_saved = SECONDS_SAVED_PER_STEP + SECONDS_SAVED_PER_MULTIPLICATION * products
    values = sum(block.units for block in blocks_of(network) if not block.derivative_from_output)
    if network.embeddings or network.embedded_numeric:
        values += network.input_width
    if values:
        seconds_saved += SECONDS_SAVED_PER_VALUE * batch_rows * values
        seconds_saved += SECONDS_SAVED_PER_PARAMETER * network.layout.size
    return products < LONG_STEP_MULTIPLICATIONS and steps * seconds_saved > STARTUP_SECONDS


class BackendProblem(NamedTuple):
    """Why a backend does not work here, and how to fix it."""

    what: str
    hint: str


INSTALL = "Run pip install 'nncli-train[fast]'"


def load(backend: Backend) -> BackendProblem | None:
    """Import what the backend needs, so that its BLAS is loaded before the number of threads is set."""
    if backend == "numpy":
        return None
    if not installed():
        return BackendProblem("Numba is not installed", INSTALL)
    try:
        import numba

        import_blas()
        import scipy.linalg.cython_blas  # noqa: F401

        import nncli.nn.training.compiled.bridge  # noqa: F401
    except ImportError as error:  # its version does not fit this NumPy
        return BackendProblem(f"Numba cannot be imported: {error}", INSTALL)
    except RuntimeError:
        return BackendProblem("Numba finds no folder for compiled code", "Set NUMBA_CACHE_DIR to a writable folder")
    disabled = getattr(numba.config, "DISABLE_JIT", 0)
    return BackendProblem("NUMBA_DISABLE_JIT is set", "Unset it") if disabled else None


BLAS = "scipy.linalg.cython_blas"
"""The module in which Numba looks up the BLAS."""


def import_blas() -> None:
    """Import scipy.linalg.cython_blas without its package.

    Python does not import the package of a module that is loaded already, and a later `import scipy.linalg` gets the
    whole package. If the module is not found, or cannot be loaded alone, Numba imports it in the usual way.

    Raises:
        ImportError: SciPy itself does not load.
    """
    import scipy

    if BLAS in sys.modules or "scipy.linalg" in sys.modules:
        return
    spec = PathFinder.find_spec(BLAS, [f"{folder}/linalg" for folder in scipy.__path__])
    if spec is None or spec.loader is None:
        return
    try:
        module = module_from_spec(spec)
        spec.loader.exec_module(module)
    except ImportError:
        return
    sys.modules[BLAS] = module
