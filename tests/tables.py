"""Small configurations and tables that tests of several rooms train on."""

from __future__ import annotations

CLASSES = """
data: {path: DATA/penguins.csv, target: species, drop: [year]}
layers: [16]
optimizer: {type: sgd, momentum: 0.9}
learning_rate: 0.05
epochs: 8
"""

NUMBERS = """
data: {path: DATA/linear.csv, target: y}
layers: []
learning_rate: 0.05
epochs: 20
"""

TWO = """
data: {path: DATA/linear.csv, target: [x2, y]}
layers: [4]
epochs: 2
"""
