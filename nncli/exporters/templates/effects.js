/** Which columns moved a prediction most: each by itself, compared with its typical value. */
const LARGEST = 3;

/** The measures of a prediction: its numbers, or the probability of the second of two classes or of the predicted one. */
function measuresOf(answer) {
  const { output } = page;
  if (output.kind === "number") return output.targets.map((target) => ({ title: target.effect ?? target.shown, of: (other) => other.get(target.column), show: shownNumber }));
  if (!hasShares(answer)) return [];
  const chosen = model.labels.length === 2 ? 1 : labelOf(answer, output);
  return chosen < 0 ? [] : [{ title: `probability of ${output.labels[chosen]}`, of: (other) => sharesOf(other)[chosen], show: (x) => `${shownNumber(Number((100 * x).toPrecision(x < 0.01 ? 1 : 3)))} points` }];
}

/** The text of a cell of the form. */
function shownCell(i) {
  const control = controls[i];
  if (cellOf(i) === null) return "missing";
  const text = control.selectedOptions ? control.selectedOptions[0].textContent : control.value.replace("T", " ");
  return text.length > 60 ? `${text.slice(0, 59)}\u2026` : text;
}

/** Show the largest effects on each measure; `effectsOf(measure)` are those of the changed columns. */
function showExplanation(measures, effectsOf) {
  document.getElementById("effects").replaceChildren(...measures.flatMap((measure) => showEffects(measure, effectsOf(measure))));
  document.getElementById("explanation").hidden = !measures.length;
}

/** The three largest effects as bars to either side. */
function showEffects(measure, effects) {
  const largest = effects.filter(({ size }) => size !== 0).sort((a, b) => Math.abs(b.size) - Math.abs(a.size)).slice(0, LARGEST);
  const title = measure.title === null ? [] : [element("p", element("bdi", measure.title), { className: "target" })];
  if (!largest.length) {
    const why = effects.length ? "No changed value moves the prediction." : "Every column has its typical value. Change one to see what it does.";
    return [...title, element("p", why, { className: "about" })];
  }
  const most = Math.abs(largest[0].size);
  return [...title, element("ol", largest.map(({ i, size }) => {
    const width = 50 * Math.abs(size) / most;
    const sign = size > 0 ? "+" : MINUS;
    return element("li", [
      element("bdi", document.getElementById(`i${i}-label`).textContent),
      element("b", sign + measure.show(Math.abs(size))),
      element("div", bar(size > 0 ? 50 : 50 - width, width, size > 0 ? "up" : "down"), { className: "track", ariaHidden: "true" }),
      element("small", [element("bdi", shownCell(i)), " instead of ", element("bdi", fields[i].start)]),
    ]);
  }), { className: "bars effects" })];
}
