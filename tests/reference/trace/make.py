"""Makes steps.json beside it with PyTorch, in float64: every number of two steps of small networks.

python tests/reference/trace/make.py
"""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch

torch.set_default_dtype(torch.float64)
ROWS = 4


def case(name: str, widths: list[int], activation: str, loss: str, optimizer: str, l2: float) -> dict[str, Any]:
    """Two steps on all rows; the last layer has no activation."""
    generator = torch.Generator().manual_seed(len(name))

    def draw(*shape: int) -> torch.Tensor:
        return (torch.randn(shape, generator=generator) * 1000).round() / 1000

    X, classes = draw(ROWS, widths[0]), loss == "cross_entropy"
    y = torch.tensor([0, 2, 1, 2]) if classes else draw(ROWS, widths[-1])
    names = [*(f"layers.{i}" for i in range(len(widths) - 2)), "output"]
    W = [draw(a, b) for a, b in pairwise(widths)]
    b = [draw(units) for units in widths[1:]]
    initial = {f"{n}.weight": w.tolist() for n, w in zip(names, W, strict=True)}
    initial |= {f"{n}.bias": v.tolist() for n, v in zip(names, b, strict=True)}
    for tensor in (*W, *b):
        tensor.requires_grad_()
    algorithm: Any = torch.optim.Adam((*W, *b), 0.05) if optimizer == "adam" else torch.optim.SGD((*W, *b), 0.05, 0.9)
    steps = []
    for _ in range(2):
        values: dict[str, torch.Tensor] = {}
        Y = X
        for i, layer in enumerate(names):
            Z = values[f"{layer}.Z"] = Y @ W[i] + b[i]
            Z.retain_grad()
            if layer != "output":
                Y = values[f"{layer}.Y"] = getattr(torch, activation)(Z)
                Y.retain_grad()
        function = torch.nn.functional.cross_entropy if classes else torch.nn.functional.mse_loss
        L = function(Z, y)
        algorithm.zero_grad()
        L.backward(inputs=[*W, *b, *values.values()])
        step = {key: value.tolist() for key, value in values.items()}
        step |= {f"{key[:-1]}d{key[-1]}": value.grad.tolist() for key, value in values.items()}
        for i, layer in enumerate(names):
            step |= {f"{layer}.dW": W[i].grad.tolist(), f"{layer}.db": b[i].grad.tolist()}
        for w in W:
            w.grad += l2 * w.detach()
        algorithm.step()
        for i, layer in enumerate(names):
            step |= {f"{layer}.weight after": W[i].tolist(), f"{layer}.bias after": b[i].tolist()}
        steps.append({"loss": L.item(), "values": step})
    network = {
        "n_features": widths[0],
        "layers": [{"type": "dense", "units": units, "activation": {"type": activation}} for units in widths[1:-1]],
        "n_outputs": widths[-1],
        "precision": "float64",
    }
    inputs = {"network": network, "loss": loss, "optimizer": optimizer, "l2": l2, "X": X.tolist(), "y": y.tolist()}
    return {"name": name, **inputs, "initial": initial, "steps": steps}


CASES = (
    case("tanh with mse and momentum", [2, 3, 2, 1], "tanh", "mse", "sgd", 0.1),
    case("relu with cross-entropy and adam", [3, 4, 3], "relu", "cross_entropy", "adam", 0.0),
    case("sigmoid with mse", [2, 2, 2], "sigmoid", "mse", "sgd", 0.0),
)
lines = ",\n".join(json.dumps(item) for item in CASES)
(Path(__file__).parent / "steps.json").write_text(f"[\n{lines}\n]\n", "utf-8")
