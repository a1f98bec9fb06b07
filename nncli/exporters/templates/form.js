/** The fields of the form: what the module and the page know of each column, and its control. */
const fields = inputs.map((input, i) => ({ ...input, ...page.inputs[i] }));
const controls = fields.map((_, i) => document.getElementById(`i${i}`));
const spellings = fields.map((field) => new Map(field.listed?.map((text, k) => [text, field.categories[k]])));

/** The text of a number with the decimal mark of its column, or of the model. */
const written = (x, mark = page.decimal) => String(x).replace(".", mark);

/** The cell of a column as it is entered: text, or null if it is missing. */
function cellOf(i) {
  const field = fields[i];
  const { value } = controls[i];
  if (field.kind === "text") return value === "" ? null : value;
  const text = value.trim();
  if (text === "" || text === "missing" && field.kind === "category" && !field.listed) return null;
  if (field.kind === "date") return text.replace("T", " ");
  if (field.kind === "number") return field.percent && !text.includes(field.percent) ? text + field.percent : text;
  if (field.listed) return spellings[i].get(value) ?? value;
  return text === "other" ? field.other : field.categories[+text];
}

/** The row of these cells. Names such as __proto__ are names as all others. */
const rowOf = (cells) => Object.fromEntries(cells.map((cell, i) => [fields[i].name, cell]));

/** The cells with another one at position i. */
const replaced = (cells, i, cell) => cells.map((old, k) => k === i ? cell : old);

/** The number that a cell of text is for a comparison with the training range; NaN where that is not plain. */
function numberOf(field, cell) {
  if (field.kind === "date") return Date.parse(`${cell.replace(" ", "T")}${cell.includes(" ") ? "" : "T00:00"}Z`) / 864e5;
  const bare = (field.unit ? cell.replace(field.unit, "") : cell).replace(/[−–]/, "-").replace(/^\s*\((.*)\)\s*$/, "-$1");
  const mark = field.decimal ?? page.decimal;
  const digits = [...bare].filter((c) => /[-+0-9e]/i.test(c) || c === mark).join("");
  return digits === "" ? NaN : Number(digits.replace(mark, "."));
}

const WARNING = "The model has seen no such row: the prediction may be wrong, and the interval or set too narrow.";

/** What is to say of a cell, or an empty text. */
const remarkOf = (i) => controls[i].validity.badInput ? "This date is not complete, so it counts as missing." : unusualOf(i);

/** Why a cell is unlike those of all training rows, by the rule of `nncli predict --flag-unusual`, or an empty text. */
function unusualOf(i) {
  const field = fields[i];
  const cell = cellOf(i);
  if (cell === null) return field.complete ? "No cell of the training rows is missing." : "";
  if (field.kind === "category") return isListed(i, cell) ? "" : "No category of the training rows: the model treats all others alike.";
  if (field.lowest === undefined) return "";
  const x = numberOf(field, cell);
  if (x < field.lowest) return "Below the training range.";
  return x > field.highest ? "Above the training range." : "";
}

/** Whether a cell is one of the categories, apart from spaces around it and the zeros of a whole number. */
function isListed(i, cell) {
  const key = (text) => text.trim().replace(/^([+-]?(?:0|[1-9]\d*))\.0+$/, "$1");
  return fields[i].categories.some((category) => category === cell || key(category) === key(cell));
}

/** Show a remark or an error beside a field. */
function showRemark(i, text, isError) {
  const remark = document.getElementById(`i${i}-remark`);
  remark.textContent = text;
  remark.hidden = text === "";
  remark.classList.toggle("error", isError);
  controls[i].setAttribute("aria-invalid", String(isError));
}

/** A slider beside a number, for a pointer; it moves with the number. */
function addSlider(i) {
  const { lowest, highest, typical } = fields[i];
  const span = highest - lowest;
  if (!(span > 0) || !Number.isFinite(span)) return;
  const isWhole = [lowest, highest, typical].every(Number.isInteger);
  const steps = isWhole ? Math.min(200, span) : 200;
  const digits = isWhole ? 0 : Math.min(100, Math.max(0, 2 - Math.floor(Math.log10(span))));
  const slider = Object.assign(document.createElement("input"), { type: "range", min: 0, max: steps, tabIndex: -1 });
  slider.setAttribute("aria-hidden", "true");
  const follow = () => {
    const cell = cellOf(i);
    const x = cell === null ? typical : numberOf(fields[i], cell);
    slider.value = Number.isNaN(x) ? slider.value : Math.round((x - lowest) / span * steps);
  };
  slider.addEventListener("input", (event) => {
    event.stopPropagation();
    const k = Number(slider.value);
    const x = Number((lowest + span * k / steps).toFixed(digits));
    controls[i].value = written(k === 0 ? lowest : k === steps ? highest : x, fields[i].decimal);
    controls[i].dispatchEvent(new Event("input", { bubbles: true }));
  });
  controls[i].addEventListener("input", follow);
  document.getElementById("form").addEventListener("reset", () => setTimeout(follow));
  controls[i].parentElement.after(slider);
  follow();
}
