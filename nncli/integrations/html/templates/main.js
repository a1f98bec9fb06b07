/** Predict whenever a value changes. */
const form = document.getElementById("form");
const failure = document.getElementById("failure");
const quickView = document.getElementById("bar");
const status = document.getElementById("status");
let version = 0, files = 0, announcement = 0;

/** Predict the row of the form. */
function update() {
  const mine = ++version;
  const cells = fields.map((_, i) => cellOf(i));
  fields.forEach((_, i) => showRemark(i, remarkOf(i), false));
  let answer, message = "";
  try {
    [answer] = answersOf([rowOf(cells)]);
  } catch (error) {
    message = showErrors(cells) || reasonOf(error);
  }
  const unusual = message ? [] : fields.filter((_, i) => unusualOf(i));
  const notes = document.getElementById("notes");
  notes.textContent = `Unusual: ${unusual.map(({ name }) => name).join(", ")}. ${WARNING}`;
  notes.hidden = !unusual.length;
  failure.hidden = message === "";
  failure.textContent = message;
  document.getElementById("results").hidden = document.getElementById("exact").hidden = message !== "";
  if (message) document.getElementById("explanation").hidden = true;
  else {
    show(answer);
    explain(cells, answer, () => mine === version);
  }
  quickView.textContent = message || sentence(answer);
  clearTimeout(announcement);
  announcement = setTimeout(() => { status.textContent = quickView.textContent; }, 600);
}

/** What an error says, without the row and the column. */
const reasonOf = (error) => error.reason ?? error.message;

/** Show the errors of cells beside their fields, one after the other; what to say of them, or an empty text without one. */
function showErrors(cells) {
  let rest = cells;
  const wrong = [];
  while (wrong.length < fields.length) {
    try {
      predict(rowOf(rest));
      break;
    } catch (error) {
      const i = fields.findIndex(({ name }) => name === error.column);
      if (i < 0 || rest[i] === typical[i]) break;
      showRemark(i, `${reasonOf(error)}.`, true);
      wrong.push(document.getElementById(`i${i}-label`).textContent);
      rest = replaced(rest, i, typical[i]);
    }
  }
  return wrong.length ? `No prediction: correct ${wrong.join(", ")}.` : "";
}

fields.forEach((field, i) => { if (field.kind === "number" && controls[i].type === "text") addSlider(i); });
const typical = fields.map((_, i) => cellOf(i));
form.addEventListener("input", update);
form.addEventListener("reset", () => setTimeout(update));
form.addEventListener("submit", (event) => event.preventDefault());

onFile((file) => { const mine = ++files; predictFile(file, () => mine === files); });
new IntersectionObserver(([entry]) => { quickView.hidden = entry.isIntersecting; }).observe(document.getElementById("answer"));
globalThis.nncli = { predict, inputs, model, answersOf };
update();
