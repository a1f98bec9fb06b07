// Numbers, and numbers in text.
read.number = (out, cell, { unit = null, decimal: mark = decimal }, readsBooleans) => {
  let x;
  if (cell === null) x = NaN;
  else if (typeof cell === "string") x = numberOf(cell, unit, formats.get(mark)) ?? (readsBooleans ? booleanOf(cell) : undefined);
  else if (["number", "boolean", "bigint"].includes(typeof cell)) x = Number(cell);
  out[0] = x;
  return x !== undefined && Math.abs(x) !== Infinity;
};

// By decimal mark: the thousands separator, numbers as in the training table, and other spellings of one meaning.
const formats = new Map(/*NUMBERS*/.map(([mark, group, training, forms]) => [mark, {
  mark, group, isPlain: mark !== "," && group === "",
  number: pattern(`^${S}(?![${SPACES}])${training}${S}$|^[^0-9]*$`),
  forms: forms.map(([between, form]) => [between, pattern(`^[+-]?(?:${form})$`)]),
}]));

function numberOf(text, unit, format) {
  const bare = unit === null ? text : withoutUnit(text, unit);
  return (bare === null ? undefined : plain(bare, format)) ?? alternativeOf(text, unit, format);
}

function plain(text, { mark, group, isPlain, number }) {
  if (isPlain) return floatOf(trim(text));
  if (!number.test(text)) return undefined;
  const joined = group === "" ? text : text.replace(pattern(group, "g"), "");
  return floatOf(trim(joined.replace(mark, ".")));
}

function floatOf(text) {
  if (/^[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$/.test(text)) return Number(text);
  if (/^[+-]?nan$/i.test(text)) return NaN;
  return /^[+-]?inf(?:inity)?$/i.test(text) ? Infinity : undefined;
}

function withoutUnit(text, unit) {
  if (!/[0-9]/.test(text)) return text;
  let bare = text;
  if (unit !== "()") {
    const sign = escape(unit), parts = text.split(unit);
    if (parts.length !== 2 || !pattern(`^[${SPACES}(+-]*${sign}|${sign}[${SPACES})]*$`).test(text)) return null;
    bare = parts.join("");
  }
  bare = trim(bare).replace(/(\d)[.,][-–—]$/, "$1").replace(/^(\d.*[.,]\d\d)-$/, "-$1")
    .replace(/^\(([^()+-]*\d[^()+-]*)\)$/, "-$1");
  return trim(bare.replace(pattern(`^([+-])[${SPACES}]+`), "$1"));
}

// Other spellings, read only if they can mean one number.
function alternativeOf(text, unit, { mark, forms }) {
  let bare = trim(text).replace(/[−–]/, "-");
  if (unit !== null) bare = withoutUnit(bare, unit) ?? (unit === "%" || unit === "‰" ? null : withoutUnit(bare, "()"));
  if (bare === null) return undefined;
  for (const [between, form] of forms) {
    if (form.test(bare)) return floatOf((between ? bare.replace(pattern(between, "g"), "") : bare).replace(mark, "."));
  }
  return undefined;
}

function booleanOf(text) {
  const key = trim(text).toLowerCase();
  return key === "true" ? 1 : key === "false" ? 0 : undefined;
}
