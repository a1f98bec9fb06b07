"""Trains the problems of recipe.py with PyTorch from many seeds, and keeps the scores.

    python tests/reference/make_recipe.py            # write recipes/realmlp.json anew
    python tests/reference/make_recipe.py --check    # compare nncli with what is written, and print both

Written out from Holzmüller, Grinsztajn and Steinwart, "Better by default", 2024, without a line of nncli's network.
"""

from __future__ import annotations

import argparse
import json
import sys
from itertools import pairwise
from math import cos, log2, pi, sqrt
from pathlib import Path
from typing import Any, TypeAlias

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # so that the script can be run by its path

from tests.reference.recipe import (
    BATCH,
    DECAY,
    DROPOUT,
    EPOCHS,
    FACTORS,
    FEATURES,
    FILE,
    NUMERIC,
    RATES,
    ROWS,
    SMOOTHING,
    TASKS,
    UNITS,
    Distribution,
    Task,
    problem,
    read,
    run_nncli,
    score,
)

Tensor: TypeAlias = torch.Tensor
F = torch.nn.functional

SEEDS = 40
OURS = 40
FREQUENCIES, WIDTH = 16, 4
torch.set_num_threads(1)


class RealMlp:
    """The network, its parameters in the groups of FACTORS."""

    def __init__(self, task: Task, X: Tensor) -> None:
        self.activate = F.selu if task == "classification" else F.mish
        a, inputs = 1.0 / sqrt(FREQUENCIES), NUMERIC * WIDTH + FEATURES - NUMERIC
        self.frequency = 0.1 * torch.randn(NUMERIC, FREQUENCIES)
        self.phase = pi * (2.0 * torch.rand(NUMERIC, FREQUENCIES) - 1.0)
        self.mix = a * (2.0 * torch.rand(NUMERIC, FREQUENCIES, WIDTH - 1) - 1.0)
        self.shift = a * (2.0 * torch.rand(NUMERIC, WIDTH - 1) - 1.0)
        self.scale = torch.ones(inputs)
        self.weights: list[Tensor] = []
        self.biases: list[Tensor] = []
        self.alphas = [torch.ones(UNITS) for _ in range(3)]
        widths = [inputs, UNITS, UNITS, UNITS, 2 if task == "classification" else 1]
        h = self.embed(X) * self.scale
        for layer, (d, units) in enumerate(pairwise(widths)):
            W = torch.randn(d, units)
            W /= (h @ W / sqrt(d)).std(0, correction=0)
            u = h @ W / sqrt(d)
            share = torch.distributions.Dirichlet(torch.ones(5)).sample((units,))
            b = torch.stack([-(share[j] * u[torch.randint(len(u), (5,)), j]).sum() for j in range(units)])
            self.weights.append(W)
            self.biases.append(b)
            if layer < 3:
                h = self.bend(u + b, self.alphas[layer])

    @property
    def groups(self) -> dict[str, list[Tensor]]:
        """All parameters."""
        numeric = [self.frequency, self.phase, self.mix, self.shift]
        return {
            "weight": self.weights,
            "numeric_features": numeric,
            "bias": self.biases,
            "scale": [self.scale],
            "alpha": self.alphas,
        }

    def embed(self, X: Tensor) -> Tensor:
        """X (rows, features) with its numbers embedded."""
        x = X[:, :NUMERIC]
        waves = torch.cos(2.0 * pi * x[:, :, None] * self.frequency + self.phase)
        mixed = torch.einsum("ncf,cfk->nck", waves, self.mix) + self.shift
        return torch.cat([torch.cat([mixed, x[:, :, None]], dim=2).flatten(1), X[:, NUMERIC:]], dim=1)

    def bend(self, u: Tensor, alpha: Tensor) -> Tensor:
        """The parametric activation."""
        return u + alpha * (self.activate(u) - u)

    def __call__(self, X: Tensor, dropout: float = 0.0) -> Tensor:
        """The raw outputs."""
        h = self.embed(X) * self.scale
        for W, b, alpha in zip(self.weights[:3], self.biases[:3], self.alphas, strict=True):
            h = F.dropout(self.bend(h @ W / sqrt(len(W)) + b, alpha), dropout)
        return h @ self.weights[3] / sqrt(UNITS) + self.biases[3]


def run_torch(task: Task, seed: int) -> float:
    """Train from a seed; the score on the test rows after the last step."""
    torch.manual_seed(seed)
    rows = problem(task)
    X = torch.tensor(rows.X)
    y = torch.tensor(rows.y, dtype=torch.int64 if task == "classification" else torch.float32)
    net = RealMlp(task, X)
    parts: list[Any] = [
        {"params": [w.requires_grad_() for w in group], "name": name} for name, group in net.groups.items()
    ]
    optimizer = torch.optim.AdamW(parts, betas=(0.9, 0.95), eps=1e-8)
    steps, step = EPOCHS * (ROWS // BATCH), 0
    for _ in range(EPOCHS):
        for batch in torch.randperm(ROWS).split(BATCH):
            t = step / steps
            left = 1.0 if t < 0.5 else (1.0 + cos(pi * (2.0 * t - 1.0))) / 2.0
            rate = RATES[task] * (1.0 - cos(2.0 * pi * log2(1.0 + 15.0 * (step + 0.5) / steps))) / 2.0
            for group in optimizer.param_groups:
                factor = FACTORS[group["name"]]
                group["lr"] = rate * factor
                group["weight_decay"] = 0.0 if group["name"] == "bias" else DECAY * factor * left
            z = net(X[batch], DROPOUT * left)
            if task == "classification":
                loss = F.cross_entropy(z, y[batch], label_smoothing=SMOOTHING)
            else:
                loss = F.mse_loss(z[:, 0], y[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            step += 1
    with torch.no_grad():
        return score(task, net(torch.tensor(rows.X_test)).double().numpy(), rows.y_test)


def main() -> int:
    """Write the file, or with --check compare."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare nncli with the file, write nothing")
    if not parser.parse_args().check:
        result = {task: sorted(round(run_torch(task, seed), 5) for seed in range(SEEDS)) for task in TASKS}
        FILE.write_text(json.dumps({"torch": torch.__version__, **result}) + "\n", encoding="utf-8")
        return 0
    worst = 0.0
    for task, theirs in read().items():
        ours = Distribution.of([run_nncli(task, seed) for seed in range(OURS)])
        worst = max(worst, ours.differs(theirs))
        print(
            f"{task:<8} PyTorch {theirs.median:.4f} ± {theirs.spread:.4f}, "
            f"nncli {ours.median:.4f} ± {ours.spread:.4f}: "
            f"the medians differ by {ours.differs(theirs):.1f} standard errors"
        )
    return 0 if worst < 4.0 else 1


if __name__ == "__main__":
    sys.exit(main())
