// Uploads files of any size: hashed and sent piece by piece, so that neither this page nor the hub holds one
// whole; what breaks off is taken up again. What is kept in the browser is what the files are called, how large
// and how old they are, and the SHA-256 by which the hub finds the parts that it has: nothing secret.

const REMEMBERED = "allmende.uploads";
const REMEMBERED_MS = 24 * 3600 * 1000, MAX_REMEMBERED = 200;
const MAX_FILES = 10000, MAX_ROWS = 200;
const ASKED_AT_ONCE = 128, SAMPLE_BYTES = 512;
const LINES_AT_ONCE = 3, FILES_AT_ONCE = 2;
const STALLED_MS = 60000, ANSWER_MS = 600000;
const TRIES = 8, LONGEST_WAIT_MS = 30000;
const OF_THE_SYSTEM = new Set([".DS_Store", "Thumbs.db", "desktop.ini"]);

const form = document.getElementById("upload");
const words = JSON.parse(form.dataset.words);
const at = (selector) => form.querySelector(selector);
const folder = form.elements.folder, title = form.elements.title, message = form.elements.message;
const rows = at(".chosen tbody"), drop = at(".drop");
const go = at("[data-go]"), pause = at("[data-pause]"), anew = at("[data-anew]");
const whole = at(".overall progress"), problem = at("[data-problem]"), said = at("[data-said]");

const chosen = new Map();
let head = form.elements.parent.value;
let checking = 0, running = false, paused = null;

class Refused extends Error {
  constructor(text, code = "", status = 0) { super(text); this.code = code; this.status = status; }
}
class LineLost extends Error {}
class Stopped extends Error {}

// --- words ------------------------------------------------------------------------------------------

const language = form.dataset.language;
// Made when the first number is written: browsers load a language's data for it, a page need not wait for that.
let numbers = null, digits = null;

function number(value) {
  numbers ??= new Intl.NumberFormat(language);
  return numbers.format(value);
}

function rounded(value) {
  digits ??= new Intl.NumberFormat(language, { maximumSignificantDigits: 3 });
  return digits.format(value);
}

function fill(text, places = {}) {
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in places ? String(places[name]) : whole));
}

function counted(word, count, places = {}) {
  return fill(words[`${word}.${count === 1 ? "one" : "other"}`], { count: number(count), ...places });
}

function size(bytes) {
  if (bytes < 1000) return `${number(bytes)} B`;
  const units = ["kB", "MB", "GB", "TB"];
  let value = bytes / 1000, unit = 0;
  while (value >= 999.5 && unit < units.length - 1) { value /= 1000; unit += 1; }
  return `${rounded(value)} ${units[unit]}`;
}

function show(element, text) {
  if (element.textContent !== text) element.textContent = text;
  element.hidden = !text;
}

// --- what is asked of the hub ------------------------------------------------------------------------

async function refusal(answer) {
  let told = {};
  try { told = await answer.json(); } catch { /* a proxy's own page: its status must do */ }
  return refused(answer.status, told);
}

function refused(status, told) {
  const text = words[`code.${told.code}`] || told.message || fill(words.status, { status });
  if (status === 408 || status === 429 || (status >= 500 && status !== 501 && status !== 507)) return new LineLost(text);
  return new Refused(text, told.code, status);
}

async function ask(address, body, type = "application/json") {
  let answer;
  try {
    answer = await fetch(address, {
      method: "POST", body, credentials: "same-origin", cache: "no-store", redirect: "error",
      headers: { "Content-Type": type, Accept: "application/json" },
    });
  } catch { throw new LineLost(words.line_lost); }
  if (!answer.ok) throw await refusal(answer);
  return answer.json();
}

const call = (word, asked) => ask(`${form.action}/${word}`, JSON.stringify(asked));

function put(address, piece, told, signal) {
  return new Promise((resolve, reject) => {
    const line = new XMLHttpRequest();
    let watch;
    const wait = (ms) => { clearTimeout(watch); watch = setTimeout(() => line.abort(), ms); };
    const stop = () => line.abort();
    const end = (settle, value) => { clearTimeout(watch); signal.removeEventListener("abort", stop); settle(value); };
    line.open("PUT", address);
    line.upload.onprogress = (event) => { wait(STALLED_MS); told(event.loaded); };
    line.upload.onload = () => wait(ANSWER_MS);
    line.onabort = line.onerror = () => end(reject, signal.aborted ? new Stopped() : new LineLost(words.line_lost));
    line.onload = () => {
      if (line.status === 200) { end(resolve, (line.getResponseHeader("ETag") || "").replaceAll('"', "")); return; }
      let answer = {};
      try { answer = JSON.parse(line.responseText); } catch { /* as above */ }
      end(reject, refused(line.status, answer));
    };
    signal.addEventListener("abort", stop);
    wait(STALLED_MS);
    line.send(piece);
  });
}

const later = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function unpaused() {
  while (paused) await paused.ended;
}

async function persist(attempt, note) {
  for (let tried = 1; ; ) {
    await unpaused();
    try { return await attempt(); } catch (error) {
      if (error instanceof Stopped) continue;
      if (!(error instanceof LineLost)) throw error;
      if (tried >= TRIES) { halt(error.message); tried = 1; continue; }
      const wait = Math.min(LONGEST_WAIT_MS, 1000 * 2 ** (tried - 1)) * (0.75 + Math.random() / 2);
      note(fill(words.again, { seconds: Math.ceil(wait / 1000) }));
      await Promise.race([later(wait), new Promise((resolve) => addEventListener("online", resolve, { once: true }))]);
      tried += 1;
    }
  }
}

function limit(most) {
  let free = most;
  const waiting = [];
  return async (work) => {
    if (free) free -= 1; else await new Promise((resolve) => waiting.push(resolve));
    try { return await work(); } finally {
      const next = waiting.shift();
      if (next) next(); else free += 1;
    }
  };
}

const onLine = limit(LINES_AT_ONCE), oneFile = limit(FILES_AT_ONCE);

// --- what is remembered ------------------------------------------------------------------------------

function remembered() {
  try {
    const all = JSON.parse(localStorage.getItem(REMEMBERED) || "{}");
    const fresh = Object.entries(all).filter(([, one]) => Date.now() - one.at < REMEMBERED_MS);
    return Object.fromEntries(fresh.sort(([, one], [, other]) => other.at - one.at).slice(0, MAX_REMEMBERED));
  } catch { return {}; }
}

function write(all) {
  try { localStorage.setItem(REMEMBERED, JSON.stringify(all)); } catch { /* full or forbidden: it starts anew then */ }
}

const keyOf = (item) => JSON.stringify([form.action, item.path, item.file.size, item.file.lastModified]);
const remember = (item) => write({ ...remembered(), [keyOf(item)]: { sha256: item.sha256, at: Date.now() } });

function forget(items) {
  const all = remembered();
  for (const item of items) delete all[keyOf(item)];
  write(all);
}

function recall() {
  const open = Object.keys(remembered()).map((key) => JSON.parse(key)).filter(([action]) => action === form.action);
  if (!open.length) return;
  const names = open.slice(0, 5).map(([, path, bytes]) => `${path} (${size(bytes)})`).join(", ");
  show(said, fill(words.unfinished, { files: names }));
}

// --- hashing ----------------------------------------------------------------------------------------

let worker = null;
const hashed = new Map();

function hasher() {
  if (worker) return worker;
  worker = new Worker(form.dataset.worker);
  worker.addEventListener("message", ({ data }) => {
    const waiting = hashed.get(data.id);
    if (!waiting) return;
    if (data.done !== undefined) { waiting.told(data.done); return; }
    hashed.delete(data.id);
    if (data.sha256) waiting.resolve(data.sha256); else waiting.reject(new Refused(words.unreadable, "unreadable"));
  });
  worker.addEventListener("error", () => {
    for (const waiting of hashed.values()) waiting.reject(new Refused(words.no_worker));
    hashed.clear();
  });
  return worker;
}

let asked = 0;
function sha256(file, told) {
  return new Promise((resolve, reject) => {
    const id = (asked += 1);
    hashed.set(id, { resolve, reject, told });
    hasher().postMessage({ id, file });
  });
}

// --- choosing files ----------------------------------------------------------------------------------

function placed(path) {
  const above = folder.value.trim().replace(/^\/+|\/+$/g, "");
  return above ? `${above}/${path}` : path;
}

function add(found) {
  let system = 0, left = 0;
  for (const { path, file } of found) {
    const parts = path.split("/");
    if (parts.includes(".git") || OF_THE_SYSTEM.has(parts.at(-1))) { system += 1; continue; }
    if (chosen.size >= MAX_FILES && !chosen.has(path)) { left += 1; continue; }
    chosen.get(path)?.row?.remove();
    chosen.set(path, { name: path, path: placed(path), file, state: "", sent: 0, done: false });
  }
  const notes = [];
  if (system) notes.push(counted("system", system));
  if (left) notes.push(counted("too_many", left, { most: number(MAX_FILES) }));
  show(said, notes.join(" "));
  draw();
  check();
}

async function* below(entry, above = "") {
  const path = above ? `${above}/${entry.name}` : entry.name;
  if (entry.isFile) {
    yield { path, file: await new Promise((resolve, reject) => entry.file(resolve, reject)) };
    return;
  }
  const reader = entry.createReader();
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return;
    for (const one of some) yield* below(one, path);
  }
}

async function dropped(items) {
  // Both must be asked for before anything is awaited: the browser takes the items back then.
  const taken = items.filter((item) => item.kind === "file").map((item) => [item.webkitGetAsEntry?.(), item.getAsFile()]);
  const entries = taken.map(([entry]) => entry).filter(Boolean);
  const found = taken.filter(([entry, file]) => !entry && file).map(([, file]) => ({ path: file.name, file }));
  try {
    for (const entry of entries) {
      for await (const one of below(entry)) {
        found.push(one);
        if (found.length > MAX_FILES) break;
      }
    }
  } catch { show(problem, words.unreadable); }
  add(found);
}

// --- the list ----------------------------------------------------------------------------------------

function cell(row, text, name) {
  const made = row.insertCell();
  made.textContent = text;
  if (name) made.className = name;
  return made;
}

function draw() {
  const all = [...chosen.values()];
  at(".chosen").hidden = !all.length;
  rows.replaceChildren();
  for (const item of all.slice(0, MAX_ROWS)) {
    const row = rows.insertRow();
    cell(row, "").appendChild(document.createElement("bdi")).textContent = item.path;
    cell(row, size(item.file.size), "number");
    item.said = cell(row, "").appendChild(document.createElement("span"));
    item.bar = item.said.parentNode.appendChild(document.createElement("progress"));
    item.bar.max = item.file.size || 1;
    item.bar.setAttribute("aria-label", item.path);
    const out = cell(row, "").appendChild(document.createElement("button"));
    out.type = "button"; out.className = "plain"; out.textContent = "\u2715";
    out.setAttribute("aria-label", fill(words.take_out, { name: item.path }));
    out.disabled = running;
    out.addEventListener("click", () => { chosen.delete(item.name); draw(); (rows.querySelector("button") ?? at("[name=files]")).focus(); });
    item.row = row;
    tell(item);
  }
  const bytes = all.reduce((sum, item) => sum + item.file.size, 0);
  show(at("[data-sum]"), all.length ? counted("sum", all.length, { size: size(bytes) }) : "");
  show(at("[data-more]"), all.length > MAX_ROWS ? counted("more", all.length - MAX_ROWS) : "");
  ready();
}

function tell(item, state = item.state, bad = item.bad) {
  item.state = state;
  item.bad = Boolean(bad);
  if (!item.said) return;
  if (item.said.textContent !== state) item.said.textContent = state;
  item.said.className = item.bad ? "problem" : "quiet";
  item.bar.hidden = !item.busy;
  item.bar.value = item.sent;
  sum();
}

function sum() {
  const large = [...chosen.values()].filter((item) => item.large && !item.out);
  const bytes = large.reduce((total, item) => total + item.file.size, 0);
  const sent = large.reduce((total, item) => total + (item.done ? item.file.size : item.stage === "sending" ? item.sent : 0), 0);
  whole.max = bytes || 1;
  whole.value = bytes ? sent : Number(!running);
  at("[data-overall]").textContent = fill(words.overall, { sent: size(sent), size: size(bytes) });
}

function ready() {
  go.disabled = running || checking > 0 || !chosen.size || [...chosen.values()].every((item) => item.out) || [...chosen.values()].some((item) => item.bad && !item.mend);
}

// --- asking before sending ---------------------------------------------------------------------------

function base64(bytes) {
  let text = "";
  for (let start = 0; start < bytes.length; start += 0x8000) {
    text += String.fromCharCode(...bytes.subarray(start, start + 0x8000));
  }
  return btoa(text);
}

const bytesOf = async (blob) => new Uint8Array(await blob.arrayBuffer());

let turn = 0;
async function check() {
  const mine = (turn += 1);
  checking += 1;
  ready();
  try {
    const all = [...chosen.values()];
    let seen = null;
    for (let start = 0; start < all.length; start += ASKED_AT_ONCE) {
      const some = all.slice(start, start + ASKED_AT_ONCE);
      const files = [];
      for (const item of some) {
        let sample;
        try { sample = base64(await bytesOf(item.file.slice(0, SAMPLE_BYTES))); } catch { throw new Refused(`${item.path}: ${words.unreadable}`); }
        files.push({ path: item.path, size: item.file.size, sample });
      }
      const told = await call("check", { files });
      if (mine !== turn) return false;
      // Somebody wrote between two calls: what the first said may not hold any more.
      if (seen !== null && told.head !== seen) return check();
      seen = told.head;
      told.files.forEach((one, index) => judge(some[index], one));
    }
    if (seen !== null) head = seen;
    if (!running) show(problem, "");
    return true;
  } catch (error) {
    if (mine === turn) show(problem, error.message);
    return false;
  } finally {
    checking -= 1;
    ready();
  }
}

function judge(item, told) {
  Object.assign(item, { large: told.large, out: Boolean(told.ignored), mend: false });
  if (told.error) tell(item, words[`code.${told.error.code}`] || told.error.message, true);
  else if (told.ignored) tell(item, words.ignored, false);
  else if (item.done) tell(item, words.sent, false);
  else tell(item, told.replaces ? words.replaces : words.fresh, false);
}

// --- sending -----------------------------------------------------------------------------------------

async function send(item) {
  item.busy = true;
  if (!item.sha256) {
    const known = remembered()[keyOf(item)];
    item.sha256 = known?.sha256;
    item.guessed = Boolean(known);
  }
  if (!item.sha256) {
    item.stage = "hashing";
    item.sha256 = await sha256(item.file, (done) => { item.sent = done; tell(item, fill(words.hashing, { percent: percent(done, item) })); });
    remember(item);
  }
}

const percent = (bytes, item) => Math.floor((100 * bytes) / (item.file.size || 1));

async function transfer(item) {
  item.stage = "sending";
  const note = (text) => tell(item, text);
  for (let renewed = 0; ; renewed += 1) {
    const told = await persist(() => call("begin", { sha256: item.sha256, size: item.file.size }), note);
    if (told.present) return;
    try {
      const etags = new Map(Object.entries(told.arrived).map(([number, etag]) => [Number(number), etag]));
      await parts(item, told, etags, note);
      tell(item, words.verifying);
      const named = [...etags].map(([partNumber, etag]) => ({ partNumber, etag }));
      await persist(() => ask(told.address, JSON.stringify({ oid: item.sha256, parts: named })), note);
      return;
    } catch (error) {
      // The link or the upload ran out: the hub is asked for another. A wrong hash may be one of yesterday.
      const stale = ["upload_unknown", "link_expired", "link_invalid", "part_missing", "part_mismatch"].includes(error.code);
      const wrong = error.code === "hash_mismatch" || error.code === "size_mismatch";
      if (renewed >= 3 || !(stale || (wrong && item.guessed))) throw error;
      if (wrong) { forget([item]); item.guessed = false; item.sha256 = null; await send(item); item.stage = "sending"; }
    }
  }
}

async function parts(item, told, etags, note) {
  const loaded = new Map();
  const sized = (number) => Math.min(told.part_bytes, item.file.size - (number - 1) * told.part_bytes);
  const progress = () => {
    item.sent = 0;
    for (const number of etags.keys()) item.sent += sized(number);
    for (const [number, bytes] of loaded) if (!etags.has(number)) item.sent += Math.min(bytes, sized(number));
    tell(item, fill(words.sending, { percent: percent(item.sent, item) }));
  };
  progress();
  let failed = null;
  const missing = Array.from({ length: told.parts }, (_, index) => index + 1).filter((number) => !etags.has(number));
  const one = async (number) => {
    if (failed) return;
    const start = (number - 1) * told.part_bytes;
    const piece = item.file.slice(start, start + sized(number));
    etags.set(number, await persist(async () => {
      if (failed) throw failed;
      try {
        return await put(`${part(told.address, number)}`, piece, (bytes) => { loaded.set(number, bytes); progress(); }, stopper.signal);
      } catch (error) {
        loaded.delete(number);
        if (error instanceof LineLost) await readable(item);
        throw error;
      }
    }, note));
    progress();
  };
  const each = async (number) => { try { await onLine(() => one(number)); } catch (error) { failed ??= error; } };
  await Promise.all(missing.map(each));
  if (failed) throw failed;
}

function part(address, number) {
  const [path, query] = address.split("?");
  return `${path}/parts/${number}?${query}`;
}

async function readable(item) {
  // A file that changed on the disk looks like a lost line.
  try { await item.file.slice(0, 1).arrayBuffer(); } catch { throw new Refused(words.unreadable, "unreadable"); }
}

async function lines(items) {
  const written = [`${JSON.stringify({ key: "header", value: { summary: title.value.trim() || own(items), description: message.value.trim(), parentCommit: head } })}\n`];
  for (const item of items) {
    const value = item.large
      ? { path: item.path, algo: "sha256", oid: item.sha256, size: item.file.size }
      : { path: item.path, encoding: "base64", content: base64(await bytesOf(item.file)) };
    // A blob of its own, so that the browser may keep it on the disk.
    written.push(new Blob([`${JSON.stringify({ key: item.large ? "lfsFile" : "file", value })}\n`]));
  }
  return new Blob(written);
}

const own = (items) => (items.length === 1 ? `Upload ${items[0].path}`.slice(0, 200) : `Upload ${items.length} files`);

let stopper = new AbortController();

function halt(reason) {
  if (paused || !running) return;
  let end;
  paused = { ended: new Promise((resolve) => { end = resolve; }), end };
  stopper.abort();
  stopper = new AbortController();
  pause.textContent = words.resume;
  show(said, reason || words.paused);
}

function resume() {
  const { end } = paused;
  paused = null;
  pause.textContent = words.pause;
  show(said, "");
  end();
}

function busy(now) {
  running = now;
  for (const element of form.querySelectorAll("input, textarea, [data-clear], .chosen tbody button")) element.disabled = now;
  pause.hidden = !now;
  at(".overall").hidden = !now;
  ready();
}

async function upload() {
  show(problem, ""); show(said, "");
  anew.hidden = true;
  busy(true);
  try {
    for (const item of chosen.values()) if (item.mend) tell(item, "", false);
    if (!(await check()) || [...chosen.values()].some((item) => item.bad)) return;
    const items = [...chosen.values()].filter((item) => !item.out);
    const large = items.filter((item) => item.large && !item.done);
    // Two files are on their way at most while the next one is hashed.
    const failed = [];
    await Promise.all(large.map((item) => oneFile(async () => {
      try {
        await send(item);
        await transfer(item);
        Object.assign(item, { done: true, busy: false, sent: item.file.size });
        tell(item, words.sent);
      } catch (error) {
        failed.push(error);
        if (error.code === "unreadable") forget([item]);
        Object.assign(item, { busy: false, mend: true });
        if (error.code === "unreadable") item.sha256 = null;
        tell(item, error.message, true);
      }
    })));
    if (failed.length) throw new Refused(counted("failed", failed.length));
    show(said, words.committing);
    const body = await lines(items).catch(() => { throw new Refused(words.unreadable); });
    const told = await persist(() => ask(`${form.action}/commit`, body, "application/x-ndjson"), (text) => show(said, text));
    forget(items);
    location.assign(told.address);
  } catch (error) {
    show(said, "");
    show(problem, error.code === "head_moved" ? words.moved : error.message);
    anew.hidden = error.code !== "head_moved";
    if (!anew.hidden) anew.focus();
  } finally {
    if (paused) resume();
    busy(false);
  }
}

// --- hands ------------------------------------------------------------------------------------------

for (const element of form.querySelectorAll("[data-scripted]")) element.hidden = false;
for (const element of form.querySelectorAll(".upload-plain")) element.hidden = true;

at("[name=files]").addEventListener("change", (event) => {
  add([...event.target.files].map((file) => ({ path: file.name, file })));
  event.target.value = "";
});
at("[data-folder]").webkitdirectory = true;
at("[data-folder]").addEventListener("change", (event) => {
  add([...event.target.files].map((file) => ({ path: file.webkitRelativePath || file.name, file })));
  event.target.value = "";
});
folder.addEventListener("change", () => {
  for (const item of chosen.values()) { item.path = placed(item.name); }
  draw();
  check();
});
for (const kind of ["dragover", "dragenter"]) {
  drop.addEventListener(kind, (event) => { event.preventDefault(); if (!running) drop.classList.add("over"); });
}
drop.addEventListener("dragleave", () => drop.classList.remove("over"));
drop.addEventListener("drop", (event) => {
  event.preventDefault();
  drop.classList.remove("over");
  if (!running) dropped([...event.dataTransfer.items]);
});
at("[data-clear]").addEventListener("click", () => { forget([...chosen.values()]); chosen.clear(); draw(); at("[name=files]").focus(); });
pause.addEventListener("click", () => (paused ? resume() : halt("")));
anew.addEventListener("click", async () => { anew.hidden = true; if (await check()) { show(said, words.checked); go.focus(); } });
form.addEventListener("submit", (event) => { event.preventDefault(); if (!go.disabled) upload(); });
recall();
ready();
