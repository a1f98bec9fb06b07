/** A CSV file, answered by a CSV file. */
/** The text of a file in UTF-8, or in UTF-16 with a byte-order mark. */
function decoded(bytes) {
  const start = new Uint8Array(bytes.slice(0, 2));
  const encoding = start[0] === 255 && start[1] === 254 ? "utf-16le" : start[0] === 254 && start[1] === 255 ? "utf-16be" : "utf-8";
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(bytes);
  } catch {
    throw new Error("the file is not in UTF-8; save it in UTF-8");
  }
}

/** The header and the rows of a table; it must have all columns, each once. */
function tableOf(text) {
  const separator = separatorOf(text);
  const [header, ...rows] = records(text, separator);
  if (!header || !rows.length) throw new Error("the file has no rows");
  const names = header.map((name) => name ?? "");
  const lacking = fields.filter(({ name }) => !names.includes(name)).map(({ name }) => `\u201c${name}\u201d`);
  if (lacking.length) throw new Error(`the file lacks ${lacking.length === 1 ? "the column" : "the columns"} ${lacking.slice(0, 8).join(", ")}`);
  const double = fields.find(({ name }) => names.indexOf(name) !== names.lastIndexOf(name));
  if (double) throw new Error(`the column \u201c${double.name}\u201d occurs twice`);
  const wrong = rows.findIndex((row) => row.length !== names.length);
  if (wrong >= 0) throw new Error(`row ${wrong + 1} has ${rows[wrong].length} cells, the header has ${names.length}`);
  return { separator, header, rows, places: fields.map(({ name }) => names.indexOf(name)) };
}

/** A record as a line of CSV; numbers have the decimal mark of the model. */
function lineOf(cells, separator) {
  const quoted = cells.map((cell) => {
    if (cell === null || cell === undefined) return "";
    const text = typeof cell === "number" ? written(cell) : String(cell);
    return text.includes(separator) || /["\r\n]|^$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  });
  return `${quoted.join(separator)}\r\n`;
}

/** Predict the rows of a file, some at a time, and offer the answer as a file; a newer file ends it. */
async function predictFile(file, isCurrent) {
  const progress = document.getElementById("progress");
  const download = document.getElementById("download");
  download.hidden = true;
  progress.textContent = "Reading\u2026";
  try {
    const { separator, header, rows, places } = tableOf(decoded(await file.arrayBuffer()));
    const lines = ["\ufeff"];
    for (let start = 0; start < rows.length; start += 64) {
      if (!isCurrent()) return;
      const part = rows.slice(start, start + 64);
      const answers = predictRows(part.map((row) => rowOf(places.map((place) => row[place]))), start);
      if (!start) lines.push(lineOf([...header, ...answers[0].keys()], separator));
      part.forEach((row, k) => lines.push(lineOf([...row, ...answers[k].values()], separator)));
      progress.textContent = `${Math.min(start + 64, rows.length).toLocaleString("en-US")} of ${rows.length.toLocaleString("en-US")} rows`;
      await new Promise((resolve) => setTimeout(resolve));
    }
    const link = document.getElementById("link");
    URL.revokeObjectURL(link.href);
    link.href = URL.createObjectURL(new Blob(lines, { type: "text/csv" }));
    link.download = `${file.name.replace(/\.[^.]*$/, "")}-predictions.csv`;
    download.hidden = false;
    progress.textContent = `${rows.length.toLocaleString("en-US")} ${rows.length === 1 ? "row is" : "rows are"} predicted.`;
  } catch (error) {
    progress.textContent = `This file cannot be predicted: ${error.message}.`;
  }
}

/** The answers of rows; an error names its row in the file. */
function predictRows(rows, start) {
  try {
    return answersOf(rows);
  } catch {
    rows.forEach((row, k) => {
      try {
        predict(row);
      } catch (error) {
        const column = error.column === undefined ? "" : `, column \u201c${error.column}\u201d`;
        throw new Error(`row ${start + k + 1}${column}: ${reasonOf(error)}`);
      }
    });
    throw new Error("the rows cannot be predicted");
  }
}
