// A preview of Markdown beside the text while it is written: the hub renders it, as it renders the page itself.

const form = document.querySelector("form.editor");
const button = form.querySelector("[value=preview]");
const text = form.elements.text;
const QUIET_MS = 600;

let shown = null, timer = null, turn = 0;

async function preview() {
  const mine = (turn += 1);
  const fields = new URLSearchParams(new FormData(form));
  fields.set("act", "preview");
  let page;
  try {
    const answer = await fetch(form.action, {
      method: "POST", body: fields, credentials: "same-origin", redirect: "error", headers: { Accept: "text/html" },
    });
    page = new DOMParser().parseFromString(await answer.text(), "text/html");
  } catch { return false; }
  if (mine !== turn) return true;
  const made = page.getElementById("preview") ?? page.querySelector("main .notice, main p");
  if (!made) return false;
  const part = document.importNode(made, true);
  if (shown) shown.replaceWith(part); else form.after(part);
  shown = part;
  return true;
}

if (button && text) {
  shown = document.getElementById("preview");
  button.addEventListener("click", async (event) => {
    event.preventDefault();
    // Without an answer the form is sent as it would be without a script, and the hub says what is wrong.
    if (await preview()) shown.scrollIntoView({ block: "nearest" });
    else { form.append(hidden()); form.submit(); }
  });
  text.addEventListener("input", () => {
    if (!shown) return;
    clearTimeout(timer);
    timer = setTimeout(preview, QUIET_MS);
  });
}

function hidden() {
  const field = document.createElement("input");
  Object.assign(field, { type: "hidden", name: "act", value: "preview" });
  return field;
}
