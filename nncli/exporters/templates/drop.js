/** Call `open` with each file that is chosen or dropped. */
function onFile(open) {
  const drop = document.getElementById("drop");
  const openFirst = (list) => { if (list[0]) open(list[0]); };
  document.getElementById("file").addEventListener("change", (event) => openFirst(event.target.files));
  for (const kind of ["dragenter", "dragover", "dragleave", "drop"]) {
    drop.addEventListener(kind, (event) => {
      event.preventDefault();
      drop.classList.toggle("over", kind === "dragenter" || kind === "dragover");
    });
  }
  drop.addEventListener("drop", (event) => openFirst(event.dataTransfer.files));
}
