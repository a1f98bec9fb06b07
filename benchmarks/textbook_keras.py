"""The textbook job in Keras: see textbook_numpy.py.

python benchmarks/textbook_keras.py data/linear.csv FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path

import keras
import numpy as np

EPOCHS, BATCH, RATE = 1000, 32, 0.01


def main(data: Path, folder: Path) -> None:
    keras.utils.set_random_seed(0)
    table = np.loadtxt(data, delimiter=",", skiprows=1, dtype=np.float32)
    X, y = table[:, :-1], table[:, -1:]
    network = keras.Sequential([keras.layers.Input((X.shape[1],)), keras.layers.Dense(1, activation="sigmoid")])
    network.compile(optimizer=keras.optimizers.SGD(RATE), loss="mse")
    network.fit(X, y, epochs=EPOCHS, batch_size=BATCH, verbose=0)
    network.save(folder / "model.keras")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
