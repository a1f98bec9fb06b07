/** Predictions of the module inside the page, and their effects. */
/** The columns that `nncli predict` prints, by their titles. */
function columnsOf(answer) {
  const { probabilities, ...others } = answer;
  const shares = probabilities ? model.labels.map((label) => [`proba_${label}`, probabilities[label]]) : [];
  return new Map([...Object.entries(others), ...shares]);
}

/** The answers of rows, as columns by their titles. */
const answersOf = (rows) => predict(rows).map(columnsOf);

/** Compute the effects of all columns that are not typical, a few at a time, then show the largest; a newer row ends it. */
async function explain(cells, answer, isCurrent) {
  const measures = measuresOf(answer);
  const changed = cells.flatMap((cell, i) => cell === typical[i] ? [] : [i]);
  const others = [];
  for (let k = 0; k < changed.length; k += 8) {
    if (k) await new Promise((resolve) => setTimeout(resolve));
    if (!isCurrent()) return;
    others.push(...answersOf(changed.slice(k, k + 8).map((i) => rowOf(replaced(cells, i, typical[i])))));
  }
  showExplanation(measures, (measure) => changed.map((i, k) => ({ i, size: measure.of(answer) - measure.of(others[k]) })));
}
