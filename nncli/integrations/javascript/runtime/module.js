/*HEADER*/

/**
 * The columns: their kinds, units, training ranges, categories, and a typical cell of each.
 * @type {Input[]}
 */
export const inputs = /*INPUTS*/;

/** The name of the run, the checksum of its manifest, the targets, and the classes if there are any. */
export const model = /*MODEL*/;

/**
 * The prediction for a row, or those for an array of rows.
 * @template {Row | Row[]} T
 * @param {T} rows
 * @returns {T extends Row[] ? Prediction[] : Prediction}
 * @throws {CellError} a column is missing, or a cell cannot be read
 */
export function predict(rows) {
  // @ts-ignore: the type of the result follows from that of the argument
  return Array.isArray(rows) ? rows.map((row, i) => predictRow(row, i + 1)) : predictRow(rows, 1);
}

/**
 * A row that cannot be read: `row` is its number, from 1; `column` and `value` are of the cell, if it is one. The
 * `reason` is the message without them.
 */
export class CellError extends Error {
  constructor(message, row, column, value) {
    super(`row ${row}${column === undefined ? "" : ", column " + show(column)}: ${message}`);
    Object.assign(this, { name: "CellError", reason: message, row, column, value });
  }
}

const program = /*PROGRAM*/;
const { missing, decimal, numbers, codes, probabilities } = program;
const names = new Set(inputs.map((input) => input.name));
// What the reader of each column needs besides `inputs`.
const cells = program.cells.map((cell, i) => {
  if (inputs[i].kind === "text") return new Map(cell.map((term, place) => [term, place]));
  if (inputs[i].kind !== "category") return cell;
  const texts = new Map(cell.texts ?? inputs[i].categories.map((category, place) => [category, place + 2]));
  return { texts, keys: cell.keys ? new Map(cell.keys) : texts, folded: new Map(cell.folded) };
});

function predictRow(row, number) {
  if (typeof row !== "object" || row === null || Array.isArray(row)) {
    throw new CellError(`${Array.isArray(row) ? "an array" : show(row)} is not an object with a cell for each column`, number);
  }
  inputs.forEach((input, i) => {
    if (!Object.hasOwn(row, input.name)) {
      const hint = nameLike(input.name, row) ?? "a cell without a value is null";
      throw new CellError(`the column is missing; ${hint}`, number, input.name);
    }
    const cell = row[input.name];
    const isNull = cell === null || cell === undefined || Number.isNaN(cell) || missing.includes(cell) || input.missing?.includes(cell);
    if (!read[input.kind](inputValues[i], isNull ? null : cell, input, cells[i])) {
      throw new CellError(`${show(cell)} is not ${expected[input.kind](input)}`, number, input.name, cell);
    }
  });
  run();
  if (isUndefined()) throw overflowOf(row, number);
  const result = {};
  for (const [name, node, column] of numbers) result[name] = values[node][column];
  if (codes !== null) result.prediction = model.classes[values[codes][0]];
  if (probabilities !== null) {
    result.probabilities = Object.create(null);
    model.labels.forEach((label, j) => (result.probabilities[label] = values[probabilities][j]));
  }
  return result;
}

// Whether the input is too far away for a class or a number.
function isUndefined() {
  return (
    (codes !== null && !(values[codes][0] >= 0)) ||
    (probabilities !== null && Number.isNaN(values[probabilities][0])) ||
    numbers.some(([, node, column]) => Number.isNaN(values[node][column]))
  );
}

// The error of a number that is so far from the training values that the prediction is not a number.
function overflowOf(row, number) {
  const places = inputs.flatMap(({ kind }, i) => (kind === "number" ? [i] : []));
  const numbers = places.map((i) => inputValues[i][0]);
  const failsWith = (i) => {
    places.forEach((j, k) => (inputValues[j][0] = j === i ? numbers[k] : NaN));
    run();
    return isUndefined();
  };
  // Without its numbers the row has a prediction, or none of them alone is the reason.
  for (const i of failsWith(-1) ? [] : places) {
    const { name } = inputs[i];
    if (failsWith(i)) return new CellError(`${show(row[name])} is too far from the training values`, number, name, row[name]);
  }
  return new CellError("a number is too far from the training values", number);
}

// A question after a column of the row that no input reads, with nearly the same name.
function nameLike(name, row) {
  const key = (text) => text.toLowerCase().replace(/[^\p{L}\p{N}]/gu, "");
  const near = Object.keys(row).find((other) => !names.has(other) && key(other) === key(name));
  return near === undefined ? undefined : `is it ${show(near)}?`;
}

function show(cell) {
  if (typeof cell === "object" && cell !== null && !(cell instanceof Date)) return "an object";
  const text = typeof cell === "string" ? JSON.stringify(cell) : String(cell);
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}

const expected = {
  number: ({ unit, decimal: mark = decimal }) => `a finite number such as 12${mark}5${unit === "()" ? ", or (12)" : unit ?? ""}`,
  category: () => "a text, a number, true or false",
  date: ({ formats: [format] }) => `a date such as 2024-05-31${format === "iso" ? "" : ", or " + format}`,
  text: () => "a text",
};

// Readers write the value of a cell, null if it is missing, and return whether it could be read.
const read = {
  category(out, cell, input, { texts, keys, folded }) {
    const text = cell === null ? "" : textOf(cell);
    if (text === undefined) return false;
    const code = texts.get(text) ?? keys.get(keyOf(text)) ?? folded.get(keyOf(text.toLowerCase())) ?? 1;
    out[0] = cell === null ? 0 : code;
    return true;
  },
  text(out, cell, input, places) {
    const text = cell === null ? "" : textOf(cell);
    out.fill(0);
    out[out.length - 1] = cell === null ? 1 : 0;
    const start = text?.length > 1e5 ? [...text].slice(0, 1e5).join("") : text;
    const words = start?.toLowerCase().match(/[\p{L}\p{M}\p{N}]+/gu) ?? [];
    words.forEach((word, i) => {
      for (const term of [word, `${words[i - 1] ?? ""} ${word}`]) if (places.has(term)) out[places.get(term)]++;
    });
    return text !== undefined;
  },
};

// White space as Unicode defines it, which is not that of String.prototype.trim.
const SPACES = "\\t-\\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000";
const S = `[${SPACES}]*`;
const pattern = (source, flags) => new RegExp(source, flags);
const SPACE = pattern(`[${SPACES}]`);
const escape = (text) => text.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&");

function trim(text) {
  let start = 0, end = text.length;
  while (start < end && SPACE.test(text[start])) start++;
  while (start < end && SPACE.test(text[end - 1])) end--;
  return text.slice(start, end);
}

function textOf(cell) {
  if (typeof cell !== "number") return ["string", "boolean", "bigint"].includes(typeof cell) ? String(cell) : undefined;
  if (Math.abs(cell) === Infinity) return cell > 0 ? "inf" : "-inf";
  if (Number.isInteger(cell) && cell >= -(2 ** 63) && cell < 2 ** 63) return String(BigInt(cell));
  return Math.abs(cell) < 1e-5 || Math.abs(cell) >= 2 ** 63 ? cell.toExponential() : String(cell);
}

function keyOf(text) {
  const key = trim(text);
  return /^[+-]?(?:0|[1-9][0-9]*)\.0+$/.test(key) ? key.slice(0, key.indexOf(".")) : key;
}
