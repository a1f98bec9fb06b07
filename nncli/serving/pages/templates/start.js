/** Start the page; where the server needs a token, once it is known. It is kept in memory alone. */
const login = document.getElementById("login");
if (login) login.addEventListener("submit", (event) => {
  event.preventDefault();
  open(document.getElementById("token").value.trim());
});
else start(null);

/** Show the page that the server has for a token, or that it accepts another one. */
async function open(token) {
  const remark = document.getElementById("token-remark");
  const refuse = (text) => {
    remark.textContent = text;
    remark.hidden = false;
    document.getElementById("token").setAttribute("aria-invalid", "true");
    document.getElementById("token").focus();
  };
  if (!/^[!-~]+$/.test(token)) return refuse("A token is one word of letters, digits and signs.");
  let response;
  try {
    response = await fetch("", { headers: { Authorization: `Bearer ${token}`, Accept: "text/html" }, cache: "no-store" });
  } catch {
    return refuse("The server does not answer.");
  }
  if (response.status === 401) return refuse("The server does not know this token.");
  if (!response.ok) return refuse(`The server answers with the error ${response.status}.`);
  const { title, body } = new DOMParser().parseFromString(await response.text(), "text/html");
  document.title = title;
  document.body.replaceChildren(...body.childNodes);
  if (document.getElementById("data")) start(token);
  document.querySelector("h1").tabIndex = -1;
  document.querySelector("h1").focus();
}
