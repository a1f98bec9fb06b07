"""The textbook job in PyTorch: see textbook_numpy.py.

python benchmarks/textbook_torch.py data/linear.csv FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch

EPOCHS, BATCH, RATE = 1000, 32, 0.01


def main(data: Path, folder: Path) -> None:
    torch.manual_seed(0)
    table = torch.from_numpy(np.loadtxt(data, delimiter=",", skiprows=1, dtype=np.float32))
    X, y = table[:, :-1], table[:, -1:]
    network = torch.nn.Sequential(torch.nn.Linear(X.shape[1], 1), torch.nn.Sigmoid())
    loss_of = torch.nn.MSELoss()
    optimizer = torch.optim.SGD(network.parameters(), RATE)

    for _ in range(EPOCHS):
        order = torch.randperm(len(X))
        for start in range(0, len(X), BATCH):
            at = order[start : start + BATCH]
            optimizer.zero_grad()
            loss_of(network(X[at]), y[at]).backward()
            optimizer.step()

    torch.save(network.state_dict(), folder / "weights.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
