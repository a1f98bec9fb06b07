"""The pictures of docs/tutorials/neural-network.md, drawn from the numbers of `nncli.trace`."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Sequence
from functools import cache, partial
from math import exp, log, log10, tanh
from pathlib import Path

import numpy as np

from nncli import trace
from nncli.analysis.trace_history import training_history
from nncli.api.options import TraceOptions
from nncli.api.trace import Trace, _new_state, _prepared

DOCS = Path(__file__).parent
CONFIGS = DOCS.parent / "configs"
BLUE, ORANGE, VIOLET, GRAY = "#3b7dd8", "#cf6f1f", "#9a5cc6", "#717986"
"""Colors that are clear on light and on dark pages."""
Point = tuple[float, float]


def svg(width: int, height: int, parts: Iterable[str], title: str) -> str:
    style = f"font:12px system-ui,sans-serif;fill:{GRAY}"
    inner = "\n".join(parts)
    size = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" style="{style}">\n'
        f"<title>{title}</title>\n{inner}\n</svg>\n"
    )


def text(x: float, y: float, words: str, anchor: str = "middle", color: str = GRAY) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{color}">{words}</text>'


def path(points: Iterable[Point], color: str, width: float = 2.0, clip: str = "") -> str:
    at = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline points="{at}" fill="none" stroke="{color}" stroke-width="{width}"{clip}/>'


def dot(x: float, y: float, color: str, r: float = 3.0) -> str:
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{r}" fill="{color}"/>'


class Chart:
    """A frame with axes, into which curves are drawn."""

    def __init__(self, left: float, x: Point, y: Point, names: Point | tuple[str, str], title: str = "") -> None:
        self.left, self.x, self.y = left + 44, x, y
        corners = [(self.left, 24.0), (self.left + 180, 24.0), (self.left + 180, 184.0), (self.left, 184.0)]
        frame = f'<clipPath id="frame{left:g}"><rect x="{self.left}" y="24" width="180" height="160"/></clipPath>'
        self.clip = f' clip-path="url(#frame{left:g})"'
        self.parts = [frame, path([*corners, corners[0]], GRAY, 0.6), text(self.left + 90, 15, title)]
        self.parts += [text(self.left + 90, 212, str(names[0])), text(self.left - 4, 108, str(names[1]), "end")]
        self.parts += [text(self.left, 198, f"{x[0]:g}", "start"), text(self.left + 180, 198, f"{x[1]:g}", "end")]
        self.parts += [text(self.left - 4, 184, f"{y[0]:g}", "end"), text(self.left - 4, 34, f"{y[1]:g}", "end")]

    def at(self, x: float, y: float) -> Point:
        low, high = self.y
        return self.left + 180 * (x - self.x[0]) / (self.x[1] - self.x[0]), 184 - 160 * (y - low) / (high - low)

    def curve(self, f: Callable[[float], float], color: str) -> Chart:
        return self.line([(x, f(x)) for x in np.linspace(*self.x, 91).tolist()], color)

    def legend(self, *labels: tuple[str, str]) -> Chart:
        for i, (label, color) in enumerate(labels):
            self.parts.append(text(self.left + 190, 40 + 20 * i, label, "start", color))
        return self

    def points(self, points: Sequence[Point], color: str) -> Chart:
        inside = [p for p in points if self.x[0] <= p[0] <= self.x[1] and self.y[0] <= p[1] <= self.y[1]]
        self.parts += [dot(*self.at(*point), color) for point in inside]
        return self

    def line(self, points: Sequence[Point], color: str, width: float = 2.0) -> Chart:
        self.parts.append(path([self.at(*point) for point in points], color, width, self.clip))
        return self


def network(columns: Sequence[Sequence[tuple[str, str]]], edges: Sequence[np.ndarray], title: str) -> str:
    """Units with a name and a number, and the numbers of the edges between columns."""
    place = {
        (k, i): (70 + 190 * k, 120 + 100 * (i - (len(c) - 1) / 2)) for k, c in enumerate(columns) for i in range(len(c))
    }
    parts = []
    for k, numbers in enumerate(edges):
        for (i, j), value in np.ndenumerate(numbers):
            (x0, y0), (x1, y1) = place[k, i], place[k + 1, j]
            color, share = (ORANGE if value < 0 else BLUE), 0.3 if i <= j else 0.62
            parts.append(path([(x0, y0), (x1, y1)], color, 1.0 + min(3.0, abs(value))))
            parts.append(text(x0 + share * (x1 - x0), y0 + share * (y1 - y0) - 5, f"{value:.5g}", color=color))
    for (k, i), (x, y) in place.items():
        name, number = columns[k][i]
        parts += [f'<circle cx="{x}" cy="{y}" r="16" fill="#fff" stroke="{GRAY}"/>', text(x, y + 4, name)]
        parts.append(text(x, y + 32, number))
    return svg(190 * len(columns) - 50, 240, parts, title)


NEURON = """
data: {path: rows.csv, target: y}
encoding: {numeric: none, target: none}
validation: 0
precision: float64
layers: []
activation: tanh
loss: mse
optimizer: sgd
learning_rate: 0.1
batch_size: full
epochs: 100
"""


@cache
def traced(layers: str = "[]", step: int = 1, rows: tuple[int, ...] | None = None) -> Trace:
    """A step of the networks of the tutorial."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "rows.csv").write_text("x1,x2,y\n1,2,1\n2,0,3\n0,1,0\n", "utf-8")
        (Path(folder) / "neuron.yaml").write_text(NEURON, "utf-8")
        return trace(Path(folder) / "neuron.yaml", set=[f"layers={layers}"], step=step, rows=rows)


def neuron() -> str:
    (output,) = traced(rows=(1,)).step.layers
    z = output.forward[0].values.item()
    columns = [[("x1", "1"), ("x2", "2")], [("z", f"{z:.5g}")]]
    return network(columns, [output.parameters[0].values], "A neuron: two inputs, two weights, and the weighted sum")


def weights_and_bias() -> str:
    chart = Chart(10, (-2, 2), (-3, 3), ("x", "z"))
    chart.curve(lambda x: x, BLUE).curve(lambda x: 2 * x, ORANGE).curve(lambda x: x - 1.5, VIOLET)
    chart.legend(("w = 1, b = 0", BLUE), ("w = 2, b = 0", ORANGE), ("w = 1, b = -1.5", VIOLET))
    return svg(340, 220, chart.parts, "The weight is the slope of the line, the bias its height at 0")


def sigmoid(z: float) -> float:
    return 1.0 / (1.0 + exp(-z))


def activations() -> str:
    panels = [
        ("sigmoid", sigmoid, lambda z: sigmoid(z) * (1 - sigmoid(z))),
        ("tanh", tanh, lambda z: 1 - tanh(z) ** 2),
        ("ReLU", lambda z: max(z, 0.0), lambda z: float(z > 0)),
    ]
    parts = []
    for k, (name, f, derivative) in enumerate(panels):
        chart = Chart(230 * k, (-4, 4), (-1.2, 2), ("z", ""), name)
        parts += chart.curve(f, BLUE).curve(derivative, ORANGE).parts
    parts += chart.legend(("f", BLUE), ("f'", ORANGE)).parts[-2:]
    return svg(720, 220, parts, "Sigmoid, tanh and ReLU with their derivatives")


def losses() -> str:
    squared = Chart(10, (-2, 4), (0, 9), ("z", "loss"), "squared error, y = 1").curve(lambda z: (z - 1) ** 2, BLUE)
    entropy = Chart(260, (0.01, 1), (0, 5), ("p", "loss"), "cross-entropy, true class").curve(lambda p: -log(p), BLUE)
    return svg(
        500, 220, [*squared.parts, *entropy.parts], "Squared error by the output, cross-entropy by the probability"
    )


def two_layers(*, backward: bool) -> str:
    hidden, output = traced("[2]", rows=(1,)).step.layers
    if backward:
        by = {layer.name: {value.symbol: value.values for value in layer.backward} for layer in (hidden, output)}
        names = [[("x1", ""), ("x2", "")], [(f"dz{i + 1}", f"{by[hidden.name]['dZ'][0, i]:.5g}") for i in (0, 1)]]
        names.append([("dz", f"{by[output.name]['dZ'].item():.5g}")])
        return network(
            names, [by[hidden.name]["dW"], by[output.name]["dW"]], "The gradient of each weight, and dZ of each unit"
        )
    names = [[("x1", "1"), ("x2", "2")], [(f"a{i + 1}", f"{hidden.forward[1].values[0, i]:.5g}") for i in (0, 1)]]
    names.append([("z", f"{output.forward[0].values.item():.5g}")])
    return network(
        names, [hidden.parameters[0].values, output.parameters[0].values], "The weights, and the output of each unit"
    )


def descent() -> str:
    losses = [(float(step), log10(traced(step=step).step.loss)) for step in range(1, 31)]
    chart = Chart(20, (0, 30), (-3, 1), ("step", "log₁₀ L")).line(losses, BLUE).points(losses, BLUE)
    return svg(260, 220, chart.parts, "The loss of the neuron in the first thirty steps")


def batches() -> str:
    with _prepared(CONFIGS / "linear-regression.yaml", TraceOptions(set=("epochs=1", "precision=float64"))) as (
        _,
        prepared,
        _,
        _,
    ):
        history = training_history(prepared.arguments, lambda: _new_state(prepared), prepared.fitted, None)
        X = prepared.fitted.X
    found = history["descent"]
    (low, high), best = (found["low"], found["high"]), np.array(found["best"][:2])
    values, directions = np.linalg.eigh(2.0 * np.cov(X.T, bias=True))  # of the loss with the bias at its best
    circle = np.stack([np.cos(np.linspace(0, 2 * np.pi, 49)), np.sin(np.linspace(0, 2 * np.pi, 49))], axis=1)
    parts = []
    for k, item in enumerate(found["charts"]):
        x_ends, y_ends = ((round(low[i], 1), round(high[i], 1)) for i in (0, 1))
        chart = Chart(230 * k, x_ends, y_ends, ("w1", "w2"), f"learning rate {item['rate']:.2g}")
        for level in (0.01, 0.05, 0.12, 0.22, 0.35):
            ring = best + (circle * np.sqrt(2.0 * level / values)) @ directions.T
            chart.line([(float(x), float(y)) for x, y in ring], GRAY, 0.6)
        for drawn, color in zip(item["paths"][::-1], (VIOLET, ORANGE, BLUE), strict=True):
            outside = [i for i, p in enumerate(drawn["points"]) if np.abs(np.array(p) - best).max() > 4.0]
            end = outside[0] + 1 if outside else None  # the last line is drawn to the frame
            chart.line([(x, y) for x, y in drawn["points"][:end]], color, 1.4)
        parts += chart.parts
    return svg(
        690, 220, parts, "Paths of full-batch (blue), mini-batch (orange) and stochastic (violet) gradient descent"
    )


def shapes() -> str:
    table = np.loadtxt(DOCS.parent / "data" / "linear.csv", delimiter=",", skiprows=1)[:100]
    X, y = np.c_[table[:, :2], np.ones(100)], table[:, 2]
    right, wrong = X @ np.linalg.lstsq(X, y, rcond=None)[0], np.full(100, y.mean())
    parts = []
    for k, (name, predicted) in enumerate((("100 x 1", right), ("100 x 100", wrong))):
        chart = Chart(230 * k, (0, 2), (0, 2), ("y", "pred."), name)
        parts += (
            chart.line([(0, 0), (2, 2)], GRAY, 0.6)
            .points(list(zip(y.tolist(), predicted.tolist(), strict=True)), BLUE)
            .parts
        )
    return svg(
        460, 220, parts, "Predictions by targets: right, and with the mistake, where all predictions are the mean"
    )


def gradients() -> str:
    chart = Chart(30, (1, 6), (-5, 0), ("hidden layer", "log₁₀ |dW|"))
    cases = [
        ("sigmoid", "sigmoid", "16", VIOLET),
        ("tanh", "tanh", "16", ORANGE),
        ("relu", "ReLU", "16", BLUE),
        ("sigmoid", "sigmoid, layer_norm", "16,layer_norm", GRAY),
    ]
    for activation, _, layer, color in cases:
        settings = [f"layers=[{','.join([layer] * 6)}]", f"activation={activation}", "precision=float64"]
        layers = [part for part in trace(CONFIGS / "spirals.yaml", set=settings).step.layers if part.type == "dense"][
            :6
        ]
        norms = [log10(next(v for v in part.backward if v.symbol == "dW").norm) for part in layers]
        chart.line([(i + 1.0, norm) for i, norm in enumerate(norms)], color)
    chart.legend(*((label, color) for _, label, _, color in cases))
    return svg(410, 220, chart.parts, "The norm of the gradient of the weights of six hidden layers in the first step")


PICTURES: dict[str, Callable[[], str]] = {
    "1-neuron": neuron,
    "2-weights": weights_and_bias,
    "3-activations": activations,
    "4-losses": losses,
    "5-forward": partial(two_layers, backward=False),
    "6-backward": partial(two_layers, backward=True),
    "7-descent": descent,
    "8-batches": batches,
    "9-shapes": shapes,
    "10-gradients": gradients,
}
"""The pictures by the names of their files."""
