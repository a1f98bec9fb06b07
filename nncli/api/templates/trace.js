const { trace, history } = page, { snapshots, network, descent } = history;
const find = (id) => document.getElementById(id);
const SIZE = 300, LEFT = 44, BOTTOM = 262, TOP = 12, RIGHT = 288;

const text = (x) => (x === null ? "not finite" : `${Number(x.toPrecision(5))}`);
const scale = (low, high, from, to) => (x) => from + ((x - low) / (high - low || 1)) * (to - from);
const short = (x) => (x && Math.abs(x) < 0.01 ? x.toExponential(1) : `${Number(x.toPrecision(3))}`);
const range = (values) => [Math.min(...values), Math.max(...values)];

function add(parent, name, attributes = {}, content = "") {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.textContent = content;
  return parent.appendChild(element);
}

function html(parent, name, content = "", className = "") {
  const element = parent.appendChild(document.createElement(name));
  element.textContent = content;
  if (className) element.className = className;
  return element;
}

/** An empty picture in a figure, described by `label`; with room for a scale of colors below. */
function picture(figure, label, withScale = false) {
  figure.hidden = false;
  figure.querySelector("svg")?.remove();
  return add(figure, "svg", { viewBox: `0 0 ${SIZE} ${SIZE + (withScale ? 22 : 0)}`, role: "img", "aria-label": label });
}

/** Axes with the ends of their ranges; returns what makes coordinates of values. */
function axes(drawing, [x0, x1], [y0, y1], xName, yName) {
  add(drawing, "rect", { class: "frame", x: LEFT, y: TOP, width: RIGHT - LEFT, height: BOTTOM - TOP });
  const label = (x, y, anchor, content) => add(drawing, "text", { x, y, "text-anchor": anchor }, content);
  label(LEFT, BOTTOM + 14, "start", short(x0));
  label(RIGHT, BOTTOM + 14, "end", short(x1));
  label((LEFT + RIGHT) / 2, BOTTOM + 30, "middle", xName);
  label(LEFT - 4, BOTTOM, "end", short(y0));
  label(LEFT - 4, TOP + 10, "end", short(y1));
  add(drawing, "text", { transform: `translate(12 ${(TOP + BOTTOM) / 2}) rotate(-90)`, "text-anchor": "middle" }, yName);
  return [scale(x0, x1, LEFT, RIGHT), scale(y0, y1, BOTTOM, TOP)];
}

/** The colors of `bands` with the values at their ends, below a picture. */
function colorScale(drawing, bands, shade, low, high) {
  for (let band = 0; band < bands; band++) {
    const fill = `rgb(${shade(band).map(Math.round)})`;
    add(drawing, "rect", { class: "row", fill, x: LEFT + 72 + (100 * band) / bands, y: SIZE + 6, width: 100 / bands, height: 10 });
  }
  add(drawing, "text", { x: LEFT + 68, y: SIZE + 15, "text-anchor": "end" }, low);
  add(drawing, "text", { x: LEFT + 176, y: SIZE + 15 }, high);
}

const line = (points) => points.map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`).join(" ");

function color(name) {
  const hex = getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  return [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
}

const mixed = (a, b, t) => a.map((channel, i) => channel + t * (b[i] - channel));

/** A surface of n x n values as an image in bands, with a line between them; `shade(band)` is a color. */
function surface(drawing, values, bandOf, shade) {
  const n = Math.round(Math.sqrt(values.length)), pixels = 150, canvas = document.createElement("canvas");
  canvas.width = canvas.height = pixels;
  const context = canvas.getContext("2d"), image = context.createImageData(pixels, pixels), ink = color("ink");
  const at = (px, py) => {
    const x = (px / (pixels - 1)) * (n - 1), y = (1 - py / (pixels - 1)) * (n - 1);
    const i = Math.min(n - 2, Math.floor(y)), j = Math.min(n - 2, Math.floor(x)), u = x - j, v = y - i;
    const row = (k) => (1 - u) * values[k * n + j] + u * values[k * n + j + 1];
    return bandOf((1 - v) * row(i) + v * row(i + 1));
  };
  for (let y = 0; y < pixels; y++) {
    for (let x = 0; x < pixels; x++) {
      const band = at(x, y), edge = (x && at(x - 1, y) !== band) || (y && at(x, y - 1) !== band);
      image.data.set([...(edge ? mixed(shade(band), ink, 0.35) : shade(band)), 255], 4 * (y * pixels + x));
    }
  }
  context.putImageData(image, 0, 0);
  add(drawing, "image", {
    href: canvas.toDataURL(), x: LEFT, y: TOP, width: RIGHT - LEFT, height: BOTTOM - TOP, preserveAspectRatio: "none",
  });
}

function drawNetwork(snapshot) {
  const layers = network.filter((layer) => layer.units <= page.maxUnits);
  if (layers.length < network.length || !Object.keys(snapshot.weights).length) return;
  const drawing = picture(find("network"), "The units of each layer, and the weights between them");
  const x = scale(0, network.length - 1, 60, SIZE - 60);
  const y = (layer, unit) => SIZE / 2 + (unit - (network[layer].units - 1) / 2) * Math.min(40, 250 / network[layer].units);
  network.slice(1).forEach((layer, k) => {
    const weights = snapshot.weights[`${layer.name}.weight`];
    if (!weights) return;
    const largest = Math.max(...weights.flat().map(Math.abs), 1e-9);
    weights.forEach((row, i) => row.forEach((weight, j) => {
      const edge = add(drawing, "line", {
        class: weight < 0 ? "down" : "up", x1: x(k), y1: y(k, i), x2: x(k + 1), y2: y(k + 1, j),
        "stroke-width": (0.2 + (5 * Math.abs(weight)) / largest).toFixed(2),
      });
      add(edge, "title", {}, `${layer.name}: weight ${text(weight)}`);
    }));
  });
  network.forEach((layer, k) => {
    const names = k ? (k === network.length - 1 ? (trace.labels.length ? trace.labels.slice(-layer.units) : trace.targets) : []) : trace.features;
    for (let i = 0; i < layer.units; i++) {
      const name = names.length === layer.units ? names[i] : "", at = { x: x(k) + (k ? 13 : -13), y: y(k, i) + 4 };
      add(drawing, "text", { ...at, "text-anchor": k ? "start" : "end" }, name.length > 7 ? `${name.slice(0, 6)}…` : name);
      const unit = add(drawing, "circle", { class: "unit", cx: x(k), cy: y(k, i), r: Math.min(9, 110 / layer.units) });
      const bias = snapshot.weights[`${layer.name}.bias`];
      add(unit, "title", {}, k ? `${layer.name}: bias ${bias ? text(bias[i]) : 0}` : name);
    }
    add(drawing, "text", { x: x(k), y: SIZE - 16, "text-anchor": "middle" }, layer.name);
    add(drawing, "text", { x: x(k), y: SIZE - 3, "text-anchor": "middle" }, layer.activation ?? "");
  });
}

const classes = ["first", "second", "third", "good", "warning", "error"];

function drawFit(snapshot) {
  if (!history.grid || snapshot.fit === null) return;
  const [low, high] = history.grid, target = trace.labels.length ? "class" : trace.targets[0];
  const yRange = range(history.y), figure = find("fit"), several = trace.labels.length > 2;
  const drawing = picture(figure, "The fit, and the training rows", low.length > 1 && !several);
  if (low.length === 1) {
    const ends = trace.labels.length ? [0, 1] : yRange, name = trace.labels.length ? `p(${trace.labels[1]})` : target;
    figure.firstElementChild.textContent = `The fitted curve and the training rows: ${name} by ${trace.features[0]}.`;
    const [x, y] = axes(drawing, [low[0], high[0]], ends, trace.features[0], name);
    const clip = (value) => Math.max(TOP, Math.min(BOTTOM, y(value)));
    history.X.forEach((row, i) => add(drawing, "circle", { class: "point", cx: x(row[0]), cy: clip(history.y[i]), r: 2.5 }));
    const at = scale(0, snapshot.fit.length - 1, low[0], high[0]);
    add(drawing, "polyline", { class: "curve", points: line(snapshot.fit.map((value, i) => [x(at(i)), clip(value)])) });
    return;
  }
  const [first, second, paper] = ["first", "second", "paper"].map(color);
  const tint = (t) => (t < 0.5 ? mixed(first, paper, 2 * t) : mixed(paper, second, 2 * t - 1));
  const part = trace.labels.length ? (value) => value : scale(...yRange, 0, 1);
  const bandOf = several ? Math.round : (value) => Math.max(0, Math.min(9, Math.floor(10 * part(value))));
  const shade = several ? (band) => mixed(paper, color(classes[band % 6]), 0.5) : (band) => tint((band + 0.5) / 10);
  figure.firstElementChild.textContent = trace.labels.length
    ? `The training rows on the ${several ? "predicted class" : `probability of ${trace.labels[1]}`}.`
    : `The training rows (circles, the color is the target) on the predicted ${target}. Predictions beyond the scale have the color of its end.`;
  surface(drawing, snapshot.fit, bandOf, shade);
  if (!several) colorScale(drawing, 10, shade, ...(trace.labels.length ? ["0", "1"] : yRange.map(short)));
  const [x, y] = axes(drawing, [low[0], high[0]], [low[1], high[1]], trace.features[0], trace.features[1]);
  history.X.forEach((row, i) => {
    const fill = several ? color(classes[history.y[i] % 6]) : tint(part(history.y[i]));
    add(drawing, "circle", { class: "unit", cx: x(row[0]), cy: y(row[1]), r: 3, fill: `rgb(${fill.map(Math.round)})` });
  });
  drawing.querySelectorAll(".unit").forEach((point) => point.classList.replace("unit", "row"));
}

function drawLoss(snapshot) {
  const drawing = picture(find("loss"), "The loss of each batch"), points = history.losses.filter(([, loss]) => loss !== null);
  const positive = points.every(([, loss]) => loss > 0), put = positive ? Math.log10 : (loss) => loss;
  const [a, b] = range([...points.map(([, loss]) => loss), ...(snapshot.loss === null ? [] : [snapshot.loss])]);
  const [x] = axes(drawing, [0, points.length ? points.at(-1)[0] : 1], [a, b], "step", "loss");
  const y = scale(put(a), put(b), BOTTOM, TOP);
  add(drawing, "polyline", { class: "curve thin", points: line(points.map(([step, loss]) => [x(step), y(put(loss))])) });
  if (snapshot.loss !== null && (!positive || snapshot.loss > 0)) {
    add(drawing, "circle", { class: "now", cx: x(snapshot.step), cy: y(put(snapshot.loss)), r: 5 });
  }
}

function drawDescent(snapshot) {
  if (!descent) return;
  const section = find("descent"), pictures = section.querySelector(".pictures");
  section.hidden = false;
  pictures.replaceChildren();
  const inputs = descent.best.length - 1, [a, b] = range(descent.surface);
  section.querySelector("p").textContent =
    `The loss over ${descent.axes.join(" and ")}${inputs === 2 ? ", with the bias at its best" : ""}, and ${page.pathSteps} ` +
    "steps of gradient descent from the same start. The cross is the lowest point. The curvature λ is at most " +
    `${text(descent.curvature)}; of a quadratic loss, full batches diverge from the learning rate 2/λ = ` +
    `${text(2 / descent.curvature)} on. The point is the training at the step above.`;
  const band = (value) => Math.min(11, Math.floor(12 * Math.sqrt((value - a) / (b - a || 1))));
  for (const chart of descent.charts) {
    const figure = html(pictures, "figure");
    const caption = html(figure, "figcaption", `Learning rate ${text(chart.rate)}: `), names = ["full batch", "mini-batch", "stochastic"];
    caption.textContent += chart.paths
      .map((path, i) => `${names[i]} (${path.batch_size}, ${["blue", "orange", "violet"][i]})${path.diverges ? " diverges" : ""}`)
      .join(", ") + ".";
    const drawing = picture(figure, caption.textContent, true), [paper, ink] = [color("paper"), color("ink")];
    const shade = (k) => mixed(mixed(paper, ink, 0.3), paper, k / 11);
    surface(drawing, descent.surface, band, shade);
    colorScale(drawing, 12, shade, `loss ${short(a)}`, short(b));
    const [x, y] = axes(drawing, [descent.low[0], descent.high[0]], [descent.low[1], descent.high[1]], ...descent.axes);
    const far = (point) => point.some((value, i) => Math.abs(value - descent.best[i]) > 2 * (descent.high[i] - descent.low[i]));
    const clip = add(drawing, "clipPath", { id: "window" });
    add(clip, "rect", { x: LEFT, y: TOP, width: RIGHT - LEFT, height: BOTTOM - TOP });
    const paths = add(drawing, "g", { "clip-path": "url(#window)" });
    [2, 1, 0].forEach((i) => {
      const end = chart.paths[i].points.findIndex(far) + 1 || Infinity;  // the first step far outside is the last that is drawn
      const points = chart.paths[i].points.slice(0, end).map(([u, v]) => [x(u), y(v)]);
      add(paths, "polyline", { class: `path path${i}`, points: line(points) });
    });
    const [u, v] = [x(descent.best[0]), y(descent.best[1])];
    add(paths, "path", { class: "best", d: `M${u - 5} ${v}h10M${u} ${v - 5}v10` });
    const weights = snapshot.weights["output.weight"].flat(), now = inputs === 2 ? weights : [weights[0], snapshot.weights["output.bias"][0]];
    add(paths, "circle", { class: "now", cx: x(now[0]), cy: y(now[1]), r: 5 });
  }
}

/** A value of the step: its formula, and its numbers with the differences, or of a large matrix the norm. */
function value(parent, title, numbers, { norm = null, differences = null, norm_difference: along = null, kinks = 0 } = {}) {
  const box = html(parent, "div", "", "value");
  html(box, "span", title);
  const cells = html(box, "div");
  if (!Array.isArray(numbers) || along !== null) {
    cells.textContent = `norm ${text(numbers.norm ?? norm)}` + (along === null ? "" : ` ≈ ${text(along)}`);
    return;
  }
  const rows = Array.isArray(numbers[0]) ? numbers : [numbers];
  cells.tabIndex = 0;
  cells.role = "group";
  cells.ariaLabel = title;
  const body = html(html(cells, "table"), "tbody"), right = differences && (Array.isArray(differences[0]) ? differences : [differences]);
  rows.slice(0, 8).forEach((row, i) => {
    const tr = html(body, "tr");
    row.forEach((number) => html(tr, "td", text(number)));
    right?.[i].forEach((number, j) => html(tr, "td", `${j ? "" : "≈ "}${text(number)}`, "difference"));
  });
  const notes = [rows.length > 8 ? `and ${rows.length - 8} more rows` : "", kinks ? `${kinks} at a kink, where there is no derivative` : ""];
  if (notes.some(Boolean)) html(cells, "p", notes.filter(Boolean).join("; "));
}

function drawNumbers() {
  find("numbers-title").textContent = `Numbers of step ${trace.step}`;
  const all = find("values"), { loss, optimizer } = trace;
  const heading = (words) => html(all, "h3", words);
  heading(`The batch: rows ${trace.rows.slice(0, 8).join(", ")}${trace.rows.length > 8 ? " …" : ""}`);
  value(all, `X: ${trace.features.slice(0, 6).join(", ")}`, trace.X);
  value(all, "y", trace.y.map((y) => (Array.isArray(y) ? y : [y])));
  for (const layer of trace.layers) {
    heading(`Forward, ${layer.name}: ${layer.type}`);
    layer.parameters.forEach((part) => value(all, part.symbol, part.values, part));
    layer.forward.forEach((part) => value(all, part.formula, part.values, { norm: part.norm }));
  }
  heading(`The loss: ${loss.type}`);
  value(all, loss.formula, [loss.value]);
  value(all, "the part of each row", loss.rows.map((part) => [part]));
  for (const layer of trace.layers.toReversed()) {
    heading(`Backward, ${layer.name}: ${layer.type}`);
    layer.backward.forEach((part) => value(all, part.formula || part.symbol, part.values, part));
  }
  heading(`The update: ${optimizer.type}, learning rate ${text(optimizer.learning_rate)}`);
  html(all, "p", optimizer.formula);
  for (const update of trace.layers.flatMap((layer) => layer.updates)) {
    value(all, `${update.name} before`, update.before);
    value(all, "its gradient", update.gradient);
    value(all, `${update.name} after`, update.after);
  }
}

const slider = find("step");

function draw() {
  const snapshot = snapshots[slider.value];
  find("where").textContent = `step ${snapshot.step} of ${history.steps}, loss of the training rows ${text(snapshot.loss)}`;
  slider.setAttribute("aria-valuetext", find("where").textContent);
  [drawNetwork, drawFit, drawLoss, drawDescent].forEach((part) => part(snapshot));
}

slider.max = snapshots.length - 1;
slider.addEventListener("input", draw);
slider.form.addEventListener("submit", (event) => event.preventDefault());
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
drawNumbers();
draw();
