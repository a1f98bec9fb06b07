/** What a prediction looks like: numbers with intervals, or classes with probabilities. */
const MINUS = "\u2212";

/** An element with text or children; `changes` are its properties. */
function element(name, content, changes = {}) {
  const node = Object.assign(document.createElement(name), changes);
  node.append(...[content].flat());
  return node;
}

/** A number with five significant digits, from 100,000 as a whole number. */
function shownNumber(x) {
  if (typeof x !== "number" || Number.isNaN(x)) return "\u2013";
  const size = Math.abs(x);
  let text;
  if (size >= 1e15 || size > 0 && size < 1e-5) text = String(Number(size.toPrecision(5)));
  else if (size >= 99999.5) text = Math.round(size).toLocaleString("en-US");
  else text = Number(size.toPrecision(5)).toLocaleString("en-US", { maximumFractionDigits: 10, useGrouping: size >= 9999.5 });
  return x < 0 && text !== "0" ? MINUS + text : text;
}

/** A fraction in percent; 0 % and 100 % only where they are exact. */
function shownPercent(fraction) {
  const text = (100 * fraction).toFixed(1);
  if (text === "100.0") return fraction < 1 ? "> 99.9 %" : "100 %";
  if (text === "0.0") return fraction > 0 ? "< 0.1 %" : "0 %";
  return `${text} %`;
}

/** A bar of `width` in percent from `left`. */
function bar(left, width, className = "") {
  const part = element("span", [], { className });
  part.style.left = `${left}%`;
  part.style.width = `${width}%`;
  return part;
}

/** Whether an answer has probabilities. */
const hasShares = (answer) => answer.has(`proba_${model.labels?.[0]}`);

/** The probabilities of the classes. */
const sharesOf = (answer) => model.labels.map((label) => answer.get(`proba_${label}`));

/** A range in words; without an upper end it is a lower bound. */
const rangeText = (low, high) => high === undefined ? `at least ${shownNumber(low)}` : `${shownNumber(low)} to ${shownNumber(high)}`;

/** The number with its interval of one target. */
function showNumber(answer, target) {
  const x = answer.get(target.column);
  const shown = [element("p", shownNumber(x), { className: "value" })];
  if (target.shown !== null) shown.unshift(element("p", element("bdi", target.shown), { className: "target" }));
  const ranges = target.ranges.map(([title, low, high]) => [title, answer.get(low), answer.get(high)]);
  const closed = ranges.filter(([, , high]) => high !== undefined);
  if (closed.length) {
    const ends = [x, ...closed.flatMap(([, low, high]) => [low, high])].filter(Number.isFinite);
    const least = Math.min(...ends);
    const place = (value) => 4 + 92 * (value - least) / (Math.max(...ends) - least || 1);
    const dot = element("i", []);
    dot.style.left = `${place(x)}%`;
    const widest = [...closed].sort((a, b) => b[2] - b[1] - (a[2] - a[1]));
    const lines = widest.map(([, low, high]) => bar(place(low), place(high) - place(low)));
    shown.push(element("div", [...lines, dot], { className: "interval", ariaHidden: "true" }));
  }
  if (ranges.length) {
    shown.push(element("dl", ranges.flatMap(([title, low, high]) => [element("dt", title), element("dd", rangeText(low, high))])));
  }
  return shown;
}

/** The class, and a labelled bar for each probability. */
function showClass(answer, output) {
  const chosen = labelOf(answer, output);
  const shown = [];
  if (chosen >= 0) shown.push(element("p", element("bdi", output.labels[chosen]), { className: "value words" }));
  shown.push(...showSets(answer, output));
  if (!hasShares(answer)) return shown;
  const order = output.labels.map((_, k) => k);
  const p = sharesOf(answer);
  if (order.length > 8) order.sort((a, b) => p[b] - p[a]);
  const items = order.map((k) => element("li", [
    element("bdi", output.labels[k]), element("b", shownPercent(p[k])),
    element("div", bar(0, 100 * p[k]), { className: "track", ariaHidden: "true" }),
  ], { className: k === chosen ? "chosen" : "" }));
  shown.push(element("ul", items.slice(0, 8), { className: "bars" }));
  if (items.length > 8) {
    const rest = element("ul", items.slice(8), { className: "bars" });
    shown.push(element("details", [element("summary", `${items.length - 8} less probable classes`), rest]));
  }
  if (chosen >= 0 && p[chosen] < Math.max(...p)) {
    shown.push(element("p", "The model chooses this class by its decision rule, not by the largest probability.", { className: "about" }));
  }
  return shown;
}

/** The prediction sets, if there are any. */
function showSets(answer, { sets = [], labels }) {
  const classes = (column) => answer.get(column).flatMap((value, k) => [k ? ", " : "", element("bdi", labels[model.classes.indexOf(value)])]);
  return sets.map(([title, column]) => element("dl", [element("dt", title), element("dd", answer.get(column).length ? classes(column) : "no class")]));
}

/** The position of the predicted class; without one of the most probable class. */
function labelOf(answer, output) {
  if (answer.has("prediction")) return model.classes.indexOf(answer.get("prediction"));
  const p = sharesOf(answer);
  return p.indexOf(Math.max(...p));
}

/** The answer in one sentence. */
function sentence(answer) {
  const { output } = page;
  if (output.kind === "class") {
    const chosen = labelOf(answer, output);
    const share = hasShares(answer) ? `, ${shownPercent(sharesOf(answer)[chosen])}` : "";
    return `Prediction: ${output.labels[chosen]}${share}`;
  }
  return `Prediction: ${output.targets.map((target) => {
    const name = target.shown === null ? "" : `${target.shown} `;
    const [range] = target.ranges.map(([title, low, high]) =>
      `, ${title} ${rangeText(answer.get(low), answer.get(high))}`);
    return name + shownNumber(answer.get(target.column)) + (range ?? "");
  }).join("; ")}`;
}

/** Show an answer. */
function show(answer) {
  const { output } = page;
  const results = document.getElementById("results");
  const isOpen = results.querySelector("details")?.open;
  const parts = output.kind === "class" ? showClass(answer, output) : output.targets.flatMap((target) => showNumber(answer, target));
  results.replaceChildren(...parts);
  results.querySelectorAll("details").forEach((details) => { details.open = isOpen; });
  document.getElementById("outputs").replaceChildren(...[...answer].flatMap(([column, value]) =>
    [element("dt", element("bdi", column)), element("dd", element("bdi", String(value)))]));
  document.getElementById("exact").hidden = false;
}
