"""Which way a training is computed: by NumPy, or, where Numba is installed and it pays, by compiled loops."""

from __future__ import annotations

from importlib.util import find_spec
from typing import NamedTuple

from nncli.nn.activations import Identity, LeakyRelu, Relu, Sigmoid, Tanh
from nncli.nn.arrays import Backend
from nncli.nn.layers.dense import Dense
from nncli.nn.losses import MSE, CrossEntropy, LossBase
from nncli.nn.network import Network
from nncli.optim.optimizers import Adam, DecoupledWeightDecay, OptimizerBase, Sgd
from nncli.training.compiled.blas import import_blas

COMPILED_ACTIVATIONS = (Identity, Relu, LeakyRelu, Sigmoid, Tanh)
"""The activations that the kernels implement, in the order of their numbers in kernels.py."""
COMPILED_LOSSES = (MSE, CrossEntropy)
COMPILED_OPTIMIZERS = (Sgd, Adam)  # AdamW is an Adam

SAVED_A_STEP = 10e-6
SAVED_A_PRODUCT = 2.5e-12
"""Seconds that compiled loops save in a step, whatever its size, and for each multiplication of its forward pass."""
STARTUP_SECONDS = 0.6
"""Seconds that the loops must save: loading them takes 0.2, and the first training of all compiles them for 8."""


def unsupported_reason(network: Network, loss: LossBase, optimizer: OptimizerBase) -> str | None:
    """What keeps this training from the compiled loops, which know plain networks alone; None if nothing does."""
    if network.precision != "float32":
        return f"precision {network.precision}"
    if network.embeddings or network.embedded_numeric or not network.n_features:
        return "embeddings"
    if network.output_activation is not None:
        return "an output_activation"
    if network.output_parametrization == "ntk":
        return "the parametrization ntk"
    for layer in network.layers:
        if not isinstance(layer, Dense):
            return f"a layer of type {layer.type}"
        if layer.parametrization == "ntk":
            return "the parametrization ntk"
        if layer.activation is not None and not isinstance(layer.activation, COMPILED_ACTIVATIONS):
            return f"the activation {layer.activation.type}"
    for part, known in ((loss, COMPILED_LOSSES), (optimizer, COMPILED_OPTIMIZERS)):
        if not isinstance(part, known):
            return f"{part.model_dump()['type']}"
    if optimizer.param_groups:
        return "an optimizer with groups"
    if isinstance(optimizer, DecoupledWeightDecay) and optimizer.decay_schedule != "constant":
        return f"a decay_schedule of {optimizer.decay_schedule}"
    return None


def installed() -> bool:
    """Whether Numba, and SciPy, through which it reaches the BLAS, are there."""
    return find_spec("numba") is not None and find_spec("scipy") is not None


LONG_STEP_MULTIPLICATIONS = 1 << 31
"""Multiplications of a forward pass from which a step takes part of a second, nearly all of it in the BLAS."""


def is_worthwhile(network: Network, batch_rows: int, steps: int) -> bool:
    """Whether so many steps save more time than Numba takes to come, and each is short.

    While a loop runs no signal is heard; in long steps there is little to gain, and NumPy hears signals in between.
    """
    products = batch_rows * network.layout.n_decayed
    return (
        products < LONG_STEP_MULTIPLICATIONS and steps * (SAVED_A_STEP + SAVED_A_PRODUCT * products) > STARTUP_SECONDS
    )


class BackendProblem(NamedTuple):
    """What keeps a backend from working here, and how to mend it."""

    what: str
    hint: str


INSTALL = "Run pip install 'nncli-train[fast]'"


def load(backend: Backend) -> BackendProblem | None:
    """Import what the backend needs, so that the BLAS that comes with it is there to be held to its threads."""
    if backend == "numpy":
        return None
    if not installed():
        return BackendProblem("Numba is not installed", INSTALL)
    try:
        import numba

        import_blas()
        import scipy.linalg.cython_blas  # noqa: F401

        import nncli.training.compiled.bridge  # noqa: F401
    except ImportError as error:  # of a version that does not go with this NumPy
        return BackendProblem(f"Numba cannot be imported: {error}", INSTALL)
    except RuntimeError:
        return BackendProblem(
            "Numba finds no folder for compiled code", "Set NUMBA_CACHE_DIR to one that can be written to"
        )
    disabled = getattr(numba.config, "DISABLE_JIT", 0)
    return BackendProblem("NUMBA_DISABLE_JIT is set", "Unset it") if disabled else None
