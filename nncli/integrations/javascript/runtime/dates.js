// Dates, as days since 1970-01-01.
read.date = (out, cell, { formats }) => {
  const isDate = cell instanceof Date;
  const days = cell === null ? NaN : isDate ? dayOf(cell.getTime(), 0) : anyDate(textOf(cell), formats);
  out[0] = days;
  return days !== null;
};

// Formats of one meaning, those of two orders of day and month, and times of day.
const [CERTAIN, ORDERS, CLOCKS] = /*DATES*/;
const MONTHS = ["january", "february", "march", "april", "may", "june", "july", "august", "september", "october"];
MONTHS.push("november", "december");
const TWO = "\\d{1,2}";
const anyCase = (word) => word.replace(/./g, (c) => `[${c}${c.toUpperCase()}]`);
const FIELDS = { "%Y": "[+-]\\d+|\\d{1,4}", "%y": TWO, "%m": TWO, "%d": TWO, "%H": TWO, "%I": TWO, "%M": TWO, "%S": TWO };
const compiled = new Map();

// A regular expression that takes the longest text for each directive, and never less, as nncli does.
function compile(format) {
  let source = "";
  for (const [part] of format.matchAll(pattern(`%\\.f|%.|[${SPACES}]+|[^%]`, "gsu"))) {
    const take = (name, choice) => `(?=(?<${name}>${choice}))\\k<${name}>`;
    if (part in FIELDS) source += S + take(part[1], FIELDS[part]);
    else if (part === "%b") source += `(?<B>${MONTHS.map((name) => anyCase(name.slice(0, 3))).join("|")})`;
    else if (part === "%B") {
      const either = (name) => `${anyCase(name.slice(0, 3))}(?:${anyCase(name.slice(3))})?`;
      source += take("B", MONTHS.map(either).join("|"));
    } else if (part === "%.f") source += `(?:\\.${take("f", "\\d+")}|(?!\\.))`;
    else if (part === "%p") source += "(?<p>[aApP])[mM]";
    else if (part === "%z") source += `${S}(?<z>[+\\-−])(?<zh>\\d\\d)[:${SPACES}]*(?<zm>[0-5]\\d)`;
    else source += SPACE.test(part[0]) ? S : escape(part);
  }
  return pattern(`^${source}$`);
}

function match(text, format) {
  if (!compiled.has(format)) compiled.set(format, compile(format));
  const parts = compiled.get(format).exec(text)?.groups;
  if (!parts) return null;
  const of = (name, otherwise = 0) => (parts[name] === undefined ? otherwise : Number(parts[name]));
  const year = of("Y", of("y") + (of("y") < 70 ? 2000 : 1900));
  const month = parts.B ? 1 + MONTHS.findIndex((name) => name.startsWith(parts.B.slice(0, 3).toLowerCase())) : of("m");
  const noon = parts.p && parts.p.toLowerCase() === "p" ? 12 : 0;
  const hour = parts.I === undefined ? of("H") : (of("I") % 12) + noon;
  const isHour = parts.I === undefined ? hour < 24 : of("I") >= 1 && of("I") <= 12;
  const date = new Date(0), day = of("d", 1);
  date.setUTCFullYear(year, month - 1, day);
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day || !isHour) return null;
  if (of("M") > 59 || of("S") > 60 || of("zh") > 23) return null;
  const offset = (of("zh") * 60 + of("zm")) * (parts.z === "+" ? -1 : 1);
  const seconds = ((hour * 60 + of("M") + offset) * 60) + of("S");
  return { date: date.getTime(), microseconds: seconds * 1e6 + Number((parts.f ?? "").slice(0, 6).padEnd(6, "0")) };
}

// The day, with its fraction, of milliseconds since 1970 and further microseconds; null outside the years 1 to 9999.
function dayOf(milliseconds, microseconds) {
  const date = Math.floor(milliseconds / 864e5), rest = (milliseconds - date * 864e5) * 1000 + microseconds;
  const carry = Math.floor(rest / 864e8), days = date + carry;
  return days >= -719162 && days <= 2932896 ? Math.min(days + (rest - carry * 864e8) / 864e8, 2932897 - 2 ** -31) : null;
}

function parse(text, format) {
  const value = match(text, format);
  return value && dayOf(value.date, value.microseconds);
}

function isoDate(text) {
  if (!/^\d{4}-\d{2}-\d{2}(?:[T ]|$)/.test(text)) return null;
  const spaced = text.replace("T", " ");
  for (const format of ["%Y-%m-%d", ...CLOCKS.map((clock) => `%Y-%m-%d ${clock}`)]) {
    if (match(spaced, format)) return parse(spaced, format);
  }
  const zoned = spaced.replace(/Z$/, "+00:00").replace(pattern(`^([^${SPACES}]+ \\d{1,2}:\\d{2}) ?([+-])`), "$1:00$2");
  return parse(zoned, `%Y-%m-%d ${CLOCKS[0]}%z`);
}

function dateOf(cell, format) {
  const text = trim(cell);
  if (format.includes("%Y") && !/\p{Nd}{4}/u.test(text)) return null;
  if (format === "iso") return isoDate(text);
  if (format.includes("%M")) return parse(text, format);
  const clock = /[T ]+(\d{1,2}:\d{2}[^\n]*)$/.exec(text);
  const value = match(clock ? text.slice(0, clock.index) : text, format);
  return value && isoDate(new Date(value.date).toISOString().slice(0, 10) + (clock ? ` ${clock[1]}` : ""));
}

function anyDate(text, formats) {
  if (text === undefined || text.length > 200) return null;
  for (const format of new Set([...formats, ...CERTAIN])) {
    const days = dateOf(text, format);
    if (days !== null) return days;
  }
  if (pattern(`^${S}[12]\\d{7}(?:[T ]|${S}$)`).test(text)) {
    const days = dateOf(text, "%Y%m%d");
    if (days !== null) return days;
  }
  for (const orders of ORDERS) {
    const separator = orders[0][2], first = `%d${separator}%m`, last = `%m${separator}%d`;
    const ordered = formats.filter((format) => !format.startsWith("%y")); // 24-05-31 says nothing about 05-06-2024
    const named = ordered.filter((format) => format.includes(first) || format.includes(last)).at(-1);
    const all = named === undefined ? orders : [`${named.includes(first) ? first : last}${separator}%Y`];
    const readings = all.map((format) => dateOf(text, format)).filter((days) => days !== null);
    if (readings.length && readings.every((days) => days === readings[0])) return readings[0];
  }
  return null;
}
