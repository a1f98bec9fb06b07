/** A CSV file, answered by a CSV file. */
const FIRST_ROWS = 10;
const boxes = [...document.querySelectorAll("#options input[value]")];
const progress = document.getElementById("progress");
const download = document.getElementById("download");
const preview = document.getElementById("preview");
let chosen = null, upload = new AbortController();

/** Send the file, and offer the answer as a file; a newer file, or other options, end it. */
async function predictFile() {
  upload.abort();
  const { signal } = upload = new AbortController();
  download.hidden = preview.hidden = true;
  showNotes("table-notes", []);
  progress.textContent = "Predicting\u2026";
  try {
    const response = await ask(queryOf(), "text/csv", await contentOf(chosen), signal);
    const bytes = await response.arrayBuffer();
    if (signal.aborted) return;
    offer(bytes);
    showNotes("table-notes", JSON.parse(response.headers.get("X-Notes") ?? "[]"));
  } catch (error) {
    if (error.name === "AbortError") return;
    if (!(error instanceof ProblemError)) throw error;
    progress.textContent = `This file cannot be predicted. ${whereOf(error.problem)}${reasonOf(error.problem)}`;
  }
}

/** The parameters of the columns that are chosen. */
const queryOf = () => boxes.filter((box) => box.checked).map((box) => box.value).join("&");

/** The bytes of a file, if the server accepts so many. */
async function contentOf(file) {
  if (file.size > page.maxBody) {
    const most = (page.maxBody / 1e6).toLocaleString("en-US");
    throw new ProblemError({ detail: `It is larger than ${most} MB, which is the most that the server accepts`, hint: "Split it, or use nncli predict" });
  }
  try {
    return await file.arrayBuffer();
  } catch {
    throw new ProblemError({ detail: "The file has changed or is gone", hint: "Choose it again" });
  }
}

/** The row that a problem names, and its column; without a row the detail says where. */
function whereOf({ row, column }) {
  if (row === undefined) return "";
  return `Row ${row.toLocaleString("en-US")}${column === undefined ? "" : `, column \u201c${column}\u201d`}: `;
}

/** Offer an answer as a file, and show its first rows. */
function offer(bytes) {
  const link = document.getElementById("link");
  URL.revokeObjectURL(link.href);
  link.href = URL.createObjectURL(new Blob([bytes], { type: "text/csv" }));
  link.download = `${chosen.name.replace(/\.[^.]*$/, "")}-predictions.csv`;
  download.hidden = false;
  const text = new TextDecoder().decode(bytes);
  const [header, ...rows] = records(text, separatorOf(text));
  progress.textContent = `${rows.length.toLocaleString("en-US")} ${rows.length === 1 ? "row is" : "rows are"} predicted.`;
  preview.replaceChildren(tableOf(header, rows.slice(0, FIRST_ROWS), rows.length));
  preview.hidden = false;
}

/** Rows as a table. */
function tableOf(header, rows, total) {
  const cell = (name, text, scope) => element(name, element("bdi", text ?? ""), scope ? { scope } : {});
  const caption = rows.length < total ? `The first ${rows.length} rows` : "All rows";
  return element("table", [
    element("caption", caption, { id: "preview-title" }),
    element("thead", element("tr", ["row", ...header].map((name) => cell("th", name, "col")))),
    element("tbody", rows.map((row, k) => element("tr", [cell("th", String(k + 1), "row"), ...row.map((text) => cell("td", text))]))),
  ]);
}

const repeat = () => { if (chosen) predictFile(); };
boxes.forEach((box) => box.addEventListener("change", repeat));
onFile((file) => {
  chosen = file;
  predictFile();
});
