"""Makes the reference files beside it with PyTorch, in float64, or checks nncli against PyTorch live.

    python tests/reference/make_reference.py            # write the files anew
    python tests/reference/make_reference.py --check    # make them in memory, compare, print the worst error

Layers, activations, losses and optimizers are PyTorch's own wherever it has them and the same thing is meant. What
it has not (the quantile and hinge losses, Lion, clipping without its 1e-6) is written out from the formula, with
autograd for the derivative.
"""

from __future__ import annotations

import argparse
import platform
import sys
from collections.abc import Callable, Mapping, Sequence
from math import pi, sqrt
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # so that the script can be run by its path

from nncli.nn.activations import (
    Activation,
    Elu,
    Gelu,
    Identity,
    LeakyRelu,
    Mish,
    Relu,
    Selu,
    Sigmoid,
    Silu,
    Softmax,
    Softplus,
    Tanh,
)
from nncli.nn.layers.dense import Dense
from nncli.nn.layers.normalization import BatchNorm, LayerNorm
from nncli.nn.layers.residual import Layer, ParametricActivation, Residual, Scale
from nncli.nn.layers.sequential import ActivationLayer, Dropout
from nncli.nn.losses import (
    ClassificationLoss,
    CrossEntropyLoss,
    HingeLoss,
    HuberLoss,
    Loss,
    MAELoss,
    MSELoss,
    PoissonLoss,
    QuantileLoss,
    QuantilesLoss,
)
from nncli.nn.network import Network
from nncli.nn.numeric_embeddings import NumericEmbedding, Periodic, PiecewiseLinear
from nncli.nn.optim.optimizers import Adagrad, Adam, AdamW, Lion, Optimizer, RmsProp, Sgd
from nncli.nn.parameters import DECAYED, ParamGroup
from tests.reference.cases import FILES
from tests.reference.replay import FOLDER, SHOWN, STEPS, TOLERANCE, Case, Outcome, Reference, errors, run_nncli, write

Tensor: TypeAlias = torch.Tensor
Tensors: TypeAlias = Mapping[str, Tensor]
Update: TypeAlias = Callable[[], None]

F = torch.nn.functional
torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)  # these networks are too small to share out


# ---------------------------------------------------------------------------------------------------------------------
# The network
# ---------------------------------------------------------------------------------------------------------------------


def activate(f: Activation | None, z: Tensor) -> Tensor:
    """f(z)."""
    match f:
        case None | Identity():
            return z
        case Sigmoid():
            return torch.sigmoid(z)
        case Tanh():
            return torch.tanh(z)
        case Relu():
            return F.relu(z)
        case LeakyRelu(slope=slope):
            return F.leaky_relu(z, slope)
        case Elu(alpha=alpha):
            return F.elu(z, alpha)
        case Selu():
            return F.selu(z)
        case Gelu():
            return F.gelu(z, approximate="tanh")
        case Silu():
            return F.silu(z)
        case Mish():
            return F.mish(z)
        case Softplus():
            return F.softplus(z)
        case Softmax():
            return F.softmax(z, dim=1)


def apply_layer(layer: Layer, p: Tensors, name: str, x: Tensor, *, training: bool) -> Tensor:
    """The output of one layer; its parameters are those of `p` that begin with `name`."""
    match layer:
        case Dense():
            W = p[f"{name}.weight"]
            if layer.parametrization == "ntk":
                W = W / sqrt(len(W))
            return activate(layer.activation, F.linear(x, W.T, p.get(f"{name}.bias")))
        case Scale():
            return p[f"{name}.scale"] * x
        case ParametricActivation():
            return torch.lerp(x, activate(layer.activation, x), p[f"{name}.alpha"])
        case Dropout():
            return F.dropout(x, layer.rate, training)
        case BatchNorm():
            return F.batch_norm(
                x,
                p[f"{name}.running_mean"],
                p[f"{name}.running_variance"],
                p[f"{name}.gamma"],
                p[f"{name}.beta"],
                training,
                layer.momentum,
                layer.epsilon,
            )
        case LayerNorm():
            return F.layer_norm(x, x.shape[1:], p[f"{name}.gamma"], p[f"{name}.beta"], layer.epsilon)
        case ActivationLayer():
            return activate(layer.activation, x)
        case Residual():
            return x + apply_layers(layer.layers, p, f"{name}.", x, training=training)


def apply_layers(layers: Sequence[Layer], p: Tensors, prefix: str, x: Tensor, *, training: bool) -> Tensor:
    """The output of a chain of layers."""
    for i, layer in enumerate(layers):
        x = apply_layer(layer, p, f"{prefix}layers.{i}", x, training=training)
    return x


def embed(embedding: NumericEmbedding, p: Tensors, i: int, x: Tensor) -> Tensor:
    """The embedding (rows, units) of x (rows,), the numbers of column i."""
    W, b = p["numeric.weight"][i], p["numeric.bias"][i]
    match embedding:
        case Periodic():
            waves = torch.cos(2.0 * pi * torch.outer(x, p["numeric.frequency"][i]) + p["numeric.phase"][i])
            return torch.cat([F.linear(waves, W.T, b), x[:, None]], dim=1)
        case PiecewiseLinear():
            edges = p["numeric.edges"][i]
            v = (x[:, None] - edges[:-1]) / (edges[1:] - edges[:-1])
            low, high = torch.zeros(len(W)), torch.ones(len(W))
            low[0], high[-1] = -torch.inf, torch.inf
            return torch.outer(x, p["numeric.slope"][i]) + F.linear(v.clamp(low, high), W.T, b)


def apply_numbers(network: Network, p: Tensors, X: Tensor) -> list[Tensor]:
    """The embedded columns of X one by one, then all that are not embedded."""
    if network.numeric_embedding is None:
        return [X]
    embedded = [embed(network.numeric_embedding, p, i, X[:, j]) for i, j in enumerate(network.numeric_features)]
    return [*embedded, X[:, [j for j in range(network.n_features) if j not in network.numeric_features]]]


def apply_network(network: Network, p: Tensors, X: Tensor, codes: Tensor, *, training: bool) -> Tensor:
    """The raw output (rows, outputs)."""
    looked_up = [F.embedding(codes[:, i], p[f"embeddings.{e.name}"]) for i, e in enumerate(network.embeddings)]
    x = torch.cat([*apply_numbers(network, p, X), *looked_up], dim=1)
    x = apply_layers(network.layers, p, "", x, training=training)
    return activate(network.output_activation, apply_layer(network.output, p, "output", x, training=training))


# ---------------------------------------------------------------------------------------------------------------------
# The losses
# ---------------------------------------------------------------------------------------------------------------------


def row_losses(loss: Loss, z: Tensor, y: Tensor) -> Tensor:
    """The loss of every row, averaged over the outputs where there are several numbers."""
    match loss:
        case MSELoss():
            return F.mse_loss(z, y, reduction="none").mean(1)
        case MAELoss():
            return F.l1_loss(z, y, reduction="none").mean(1)
        case HuberLoss(delta=delta):
            return F.huber_loss(z, y, reduction="none", delta=delta).mean(1)
        case QuantileLoss(q=q):  # Koenker and Bassett, 1978
            return torch.maximum(q * (y - z), (q - 1.0) * (y - z)).mean(1)
        case QuantilesLoss(levels=levels):
            d, q = y[:, :, None] - z.reshape(len(z), -1, len(levels)), torch.tensor(levels, dtype=z.dtype)
            return torch.maximum(q * d, (q - 1.0) * d).mean((1, 2))
        case PoissonLoss():
            return F.poisson_nll_loss(z, y, log_input=True, full=False, reduction="none").mean(1)
        case CrossEntropyLoss(label_smoothing=s) if z.shape[1] > 1:
            return F.cross_entropy(z, y, reduction="none", label_smoothing=s)
        case CrossEntropyLoss(label_smoothing=s):
            t = y.to(z.dtype) * (1.0 - s) + s / 2.0
            return F.binary_cross_entropy_with_logits(z[:, 0], t, reduction="none")
        case HingeLoss():
            t = F.one_hot(y, z.shape[1]) if z.shape[1] > 1 else y[:, None]
            return F.relu(1.0 - (2.0 * t - 1.0) * z).mean(1)


def predict(loss: Loss, z: Tensor) -> Tensor:
    """What the raw output means."""
    if isinstance(loss, PoissonLoss):
        return torch.exp(z)
    if isinstance(loss, QuantilesLoss):
        quantiles = z.reshape(len(z), -1, len(loss.levels)).sort(dim=2).values
        return quantiles[:, :, loss.levels.index(0.5)]
    if isinstance(loss, ClassificationLoss):
        p = torch.sigmoid(z)
        return F.softmax(z, dim=1) if z.shape[1] > 1 else torch.cat([1.0 - p, p], dim=1)
    return z


# ---------------------------------------------------------------------------------------------------------------------
# The optimizers
# ---------------------------------------------------------------------------------------------------------------------


def lion(optimizer: Lion, decayed: list[Tensor], others: list[Tensor], rate: float) -> Update:
    """Chen et al., "Symbolic discovery of optimization algorithms", 2023, algorithm 2."""
    groups = [(w, torch.zeros_like(w), optimizer.weight_decay) for w in decayed]
    groups += [(w, torch.zeros_like(w), 0.0) for w in others]

    def update() -> None:
        with torch.no_grad():
            for w, m, weight_decay in groups:
                c = optimizer.beta1 * m + (1.0 - optimizer.beta1) * w.grad
                w -= rate * (torch.sign(c) + weight_decay * w)
                m.copy_(optimizer.beta2 * m + (1.0 - optimizer.beta2) * w.grad)

    return update


def bind_optimizer(optimizer: Optimizer, decayed: list[Tensor], others: list[Tensor], rate: float) -> Update:
    """A function that moves all parameters once; `decayed` are the weights and embeddings."""
    everything = decayed + others
    theirs: Any
    match optimizer:
        case Lion():
            return lion(optimizer, decayed, others, rate)
        case Sgd():
            theirs = torch.optim.SGD(everything, rate, momentum=optimizer.momentum, nesterov=optimizer.nesterov)
        case RmsProp():
            theirs = torch.optim.RMSprop(everything, rate, alpha=optimizer.rho, eps=optimizer.epsilon)
        case Adagrad():
            theirs = torch.optim.Adagrad(everything, rate, eps=optimizer.epsilon)
        case AdamW():
            groups = [
                {"params": decayed, "weight_decay": optimizer.weight_decay},
                {"params": others, "weight_decay": 0.0},
            ]
            betas = (optimizer.beta1, optimizer.beta2)
            theirs = torch.optim.AdamW(groups, rate, betas=betas, eps=optimizer.epsilon)
        case Adam():
            betas = (optimizer.beta1, optimizer.beta2)
            theirs = torch.optim.Adam(everything, rate, betas=betas, eps=optimizer.epsilon)
    return lambda: theirs.step()


def clip(everything: list[Tensor], largest: float) -> None:
    """Scale the gradient to the norm `largest` where it is longer; clip_grad_norm_ would add 1e-6 to the norm."""
    norm = torch.sqrt(sum((w.grad**2).sum() for w in everything))
    if norm > largest:
        for w in everything:
            w.grad.mul_(largest / norm)


# ---------------------------------------------------------------------------------------------------------------------
# A case, run by PyTorch
# ---------------------------------------------------------------------------------------------------------------------


def run_torch(case: Case) -> Outcome:
    """Train and predict with PyTorch."""
    X, y = torch.tensor(case.X), torch.tensor(case.y)
    codes = torch.tensor(case.codes, dtype=torch.int64)
    weights = torch.ones(len(X)) if case.weights is None else torch.tensor(case.weights)
    p = {name: torch.tensor(value) for name, value in case.initial.items()}
    groups = {spec.name: spec.group for spec in case.network.layout.specs}
    decayed = [p[name].requires_grad_() for name, group in groups.items() if group in DECAYED]
    others = [
        p[name].requires_grad_() for name, group in groups.items() if group not in (*DECAYED, ParamGroup.STATISTIC)
    ]
    update = bind_optimizer(case.optimizer, decayed, others, case.learning_rate)

    losses = {}
    starts = range(0, len(X), case.batch_size)
    for t in range(1, STEPS + 1):
        start = starts[(t - 1) % len(starts)]
        at = slice(start, start + case.batch_size)
        z = apply_network(case.network, p, X[at], codes[at], training=True)
        loss = (weights[at] * row_losses(case.loss, z, y[at])).mean()
        penalty = sum(case.l1 * w.abs().sum() + case.l2 / 2.0 * (w**2).sum() for w in decayed)
        for w in decayed + others:
            w.grad = None
        (loss + penalty).backward()
        if case.clip_norm is not None:
            clip(decayed + others, case.clip_norm)
        update()
        losses[t] = float(loss.detach())

    with torch.no_grad():
        predictions = predict(case.loss, apply_network(case.network, p, X, codes, training=False))
    return Outcome(
        losses={t: losses[t] for t in SHOWN},
        parameters={name: value.tolist() for name, value in p.items()},
        predictions=predictions.tolist(),
    )


def check() -> bool:
    """Compare nncli with PyTorch on every case, print the worst error of each file, and say whether all is well."""
    worst = 0.0
    for file, cases in FILES.items():
        result = [
            (error, f"{case.name}, {what}")
            for case in cases()
            for what, error in errors(run_nncli(case), run_torch(case)).items()
        ]
        error, where = max(result)
        print(
            f"{file.removesuffix('.json'):<12} {len(result):>4} comparisons, worst relative error {error:.1e}: {where}"
        )
        worst = max(worst, error)
    print(f"worst {worst:.1e}, allowed {TOLERANCE:.0e}, PyTorch {torch.__version__}, NumPy {np.__version__}")
    return worst <= TOLERANCE


def main() -> int:
    """Write the files, or with --check compare."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare nncli with PyTorch live, write nothing")
    if parser.parse_args().check:
        return 0 if check() else 1
    versions = {"torch": torch.__version__, "numpy": np.__version__, "python": platform.python_version()}
    for file, cases in FILES.items():
        write(FOLDER / file, versions, [Reference(case=case, expected=run_torch(case)) for case in cases()])
    return 0


if __name__ == "__main__":
    sys.exit(main())
