/** Records of a CSV text. */
const SEPARATORS = [",", ";", "\t", "|"];

/** The records of a CSV text, each a list of cells. An empty line is no record, but an empty cell of a single column. */
function records(text, separator) {
  const rows = [];
  let record = [], cell = "", isQuoted = false, wasQuoted = false;
  const endCell = () => { record.push(wasQuoted || cell !== "" ? cell : null); cell = ""; wasQuoted = false; };
  const endRecord = () => {
    endCell();
    if (record.length > 1 || record[0] !== null || rows[0]?.length === 1) rows.push(record);
    record = [];
  };
  for (let k = 0; k < text.length; k++) {
    const c = text[k];
    if (isQuoted) {
      if (c !== '"') cell += c;
      else if (text[k + 1] === '"') cell += text[++k];
      else isQuoted = false;
    } else if (c === '"' && cell === "") isQuoted = wasQuoted = true;
    else if (c === separator) endCell();
    else if (c === "\n" || c === "\r" && text[k + 1] !== "\n") endRecord();
    else if (c !== "\r" || text[k + 1] !== "\n") cell += c;
  }
  if (isQuoted) throw new Error("a quoted cell does not end");
  if (cell !== "" || wasQuoted || record.length) endRecord();
  return rows;
}

/** The separator that splits the first line into most cells. */
function separatorOf(text) {
  const line = text.slice(0, text.search(/[\r\n]|$/)).replace(/"[^"]*"/g, "");
  return SEPARATORS.reduce((best, mark) => line.split(mark).length > line.split(best).length ? mark : best);
}
