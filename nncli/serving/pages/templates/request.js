/** Requests to the server, and what its errors say. */
class ProblemError extends Error {
  constructor(problem) {
    super(problem.detail);
    this.problem = problem;
  }
}

/** The answer to rows, as a response that is no error; raises a ProblemError, or an AbortError. */
async function ask(query, type, body, signal) {
  const headers = { "Content-Type": type, Accept: type };
  if (token !== null) headers.Authorization = `Bearer ${token}`;
  let response;
  try {
    response = await fetch(`predict?${query}`, { method: "POST", headers, body, signal, cache: "no-store" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ProblemError({ detail: "The server does not answer", hint: "Is it running? Then try again." });
  }
  if (response.ok) return response;
  if (response.status === 401) throw new ProblemError({ detail: "The server does not know this token any more", hint: "Load the page again to enter another" });
  let problem = { detail: `The server answers with the error ${response.status}` };
  if (response.headers.get("Content-Type")?.startsWith("application/problem+json")) problem = await response.json();
  throw new ProblemError(problem);
}

/** A text as a sentence. */
function asSentence(text) {
  const end = /[.!?\u2026]$/.test(text) ? "" : ".";
  return text.charAt(0).toUpperCase() + text.slice(1) + end;
}

/** What a problem says, and how to fix it. */
const reasonOf = ({ detail, hint }) => [detail, hint].filter(Boolean).map(asSentence).join(" ");
