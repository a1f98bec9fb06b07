// Numbers, and numbers in text.
read.number = (out, cell, { unit = null }, readsBooleans) => {
  let x;
  if (cell === null) x = NaN;
  else if (typeof cell === "string") x = numberOf(cell, unit) ?? (readsBooleans ? booleanOf(cell) : undefined);
  else if (["number", "boolean", "bigint"].includes(typeof cell)) x = Number(cell);
  out[0] = x;
  return x !== undefined && Math.abs(x) !== Infinity;
};

// The thousands separator, numbers with the marks of the training table, and other spellings of one meaning.
const [group, training, forms] = /*NUMBERS*/;
const NUMBER = pattern(`^${S}(?![${SPACES}])${training}${S}$|^[^0-9]*$`);
const isPlain = decimal !== "," && group === "";
const FORMS = forms.map(([between, form]) => [between, pattern(`^[+-]?(?:${form})$`)]);

function numberOf(text, unit) {
  const bare = unit === null ? text : withoutUnit(text, unit);
  return bare === null ? alternativeOf(text, unit) : plain(bare) ?? alternativeOf(text, unit);
}

function plain(text) {
  if (isPlain) return floatOf(trim(text));
  if (!NUMBER.test(text)) return undefined;
  const joined = group === "" ? text : text.replace(pattern(group, "g"), "");
  return floatOf(trim(joined.replace(decimal, ".")));
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
  const inside = pattern(`^${S}\\(([^()+-]*)\\)${S}$`).exec(bare);
  if (inside !== null && /[0-9]/.test(inside[1])) bare = `-${inside[1]}`;
  return trim(bare.replace(pattern(`^${S}([+-])[${SPACES}]+`), "$1"));
}

// Other spellings, read only if they can mean one number.
function alternativeOf(text, unit) {
  let bare = trim(text).replace(/[−–]/, "-");
  if (unit !== null) bare = withoutUnit(bare, unit) ?? (unit === "%" || unit === "‰" ? null : withoutUnit(bare, "()"));
  if (bare === null) return undefined;
  for (const [between, form] of FORMS) {
    if (form.test(bare)) return floatOf((between ? bare.replace(pattern(between, "g"), "") : bare).replace(decimal, "."));
  }
  return undefined;
}

function booleanOf(text) {
  const key = trim(text).toLowerCase();
  return key === "true" ? 1 : key === "false" ? 0 : undefined;
}
