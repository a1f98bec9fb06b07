/** Predict the row of the form when it is submitted. */
const form = document.getElementById("form");
const answered = document.getElementById("answer");
const failure = document.getElementById("failure");
const stale = document.getElementById("stale");
const quickView = document.getElementById("bar");
const status = document.getElementById("status");
let request = new AbortController();

/** Predict the row of the form; a newer row ends it. */
async function predictRow() {
  request.abort();
  const { signal } = request = new AbortController();
  const cells = fields.map((_, i) => cellOf(i));
  fields.forEach((_, i) => showRemark(i, remarkOf(i), false));
  answered.setAttribute("aria-busy", "true");
  try {
    const response = await ask(page.query, "application/json", JSON.stringify({ rows: [rowOf(cells)] }), signal);
    const { rows: [row], notes = [] } = await response.json();
    showAnswer(cells, row, notes);
  } catch (error) {
    if (error.name === "AbortError") return;
    if (!(error instanceof ProblemError)) throw error;
    showFailure(error.problem);
  } finally {
    if (!signal.aborted) answered.setAttribute("aria-busy", "false");
  }
}

/** Show a prediction, and the columns that moved it. */
function showAnswer(cells, { effects, unusual, ...columns }, notes) {
  const answer = new Map(Object.entries(columns));
  setShown({ isAnswer: true });
  showNotes("notes", unusual.length ? [...notes, WARNING] : notes);
  document.getElementById("notes").classList.toggle("warning", unusual.length > 0);
  show(answer);
  if (effects) showEffectsOf(answer, cells, effects);
  say(sentence(answer));
}

/** Show which cells differ from all training rows. */
function showNotes(id, notes) {
  const place = document.getElementById(id);
  place.textContent = notes.map(asSentence).join(" ");
  place.hidden = notes.length === 0;
}

/** Show the effects of the cells that are not typical; they are of several targets. */
function showEffectsOf(answer, cells, effects) {
  const measures = measuresOf(answer);
  const places = new Map(fields.map(({ name }, i) => [name, i]));
  const sizes = effects.map(({ column, target, change }) => ({ i: places.get(column), target: target ?? model.targets[0], size: change }));
  const moved = sizes.filter(({ i, size }) => cells[i] !== typical[i] && size !== null);
  showExplanation(measures, (measure) => moved.filter(({ target }) => target === model.targets[measures.indexOf(measure)]));
}

/** Show an error beside the field that it names, and where the prediction would be. */
function showFailure(problem) {
  const i = fields.findIndex(({ name }) => name === problem.column);
  setShown({ isAnswer: false });
  failure.textContent = reasonOf(problem);
  if (i >= 0) {
    showRemark(i, reasonOf(problem), true);
    failure.textContent = `No prediction: correct ${document.getElementById(`i${i}-label`).textContent}.`;
    controls[i].focus();
  }
  say(failure.textContent);
}

/** Show the parts of an answer, or of a failure. */
function setShown({ isAnswer }) {
  for (const id of ["results", "exact"]) document.getElementById(id).hidden = !isAnswer;
  for (const id of ["intro", "explanation", "notes"]) document.getElementById(id).hidden = true;
  stale.hidden = true;
  failure.hidden = isAnswer;
}

/** Say it to who does not see the answer. */
function say(text) {
  quickView.textContent = text;
  status.textContent = text;
  follow();
}

/** Show the bar while there is something to say that cannot be seen. */
let isInSight = true;
const follow = () => { quickView.hidden = isInSight || quickView.textContent === ""; };

/** Say that the prediction is not that of the values in the form. */
function becomeStale() {
  if (document.getElementById("exact").hidden) return;
  stale.hidden = false;
  quickView.textContent = stale.textContent;
}

fields.forEach((field, i) => { if (field.kind === "number" && controls[i].type === "text") addSlider(i); });
const typical = fields.map((_, i) => cellOf(i));
form.addEventListener("input", (event) => {
  const i = controls.indexOf(event.target);
  if (i >= 0) showRemark(i, remarkOf(i), false);
  becomeStale();
});
form.addEventListener("reset", () => setTimeout(() => {
  fields.forEach((_, i) => showRemark(i, remarkOf(i), false));
  becomeStale();
}));
form.addEventListener("submit", (event) => {
  event.preventDefault();
  predictRow();
});
new IntersectionObserver(([entry]) => {
  isInSight = entry.isIntersecting;
  follow();
}).observe(answered);
