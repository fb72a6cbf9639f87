// Checks the hub's log in the reader's browser: signatures, the tree, that it only grew, and one entry.
// The norms are RFC 6962 (tree, proofs) and C2SP signed-note, tlog-checkpoint, tlog-cosignature, tlog-tiles.
// What is believed is the reader's own list of keys; the hub's word counts for nothing here.

const PINNED = "allmende.log.keys";
const SEEN = "allmende.log.seen";
const KEPT_SET = "allmende.log.set";
const SET_SCHEMA = "allmende.key-set/1";
const LOG_KEY = 1, WITNESS_KEY = 4;
const TILE = 256;
const MAX_NOTE_CHARS = 524288, MAX_SIGNATURES = 100, MAX_KEYS = 20, MAX_SETS = 1000;

const section = document.getElementById("log-check");
const words = JSON.parse(section.dataset.words);
const form = section.querySelector("form");
const field = section.querySelector("textarea");
const verdict = section.querySelector(".check-verdict");
const list = section.querySelector(".checks");

class Refused extends Error {}

// --- bytes ------------------------------------------------------------------------------------------

const utf8 = (text) => new TextEncoder().encode(text);

function joined(...parts) {
  const all = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) { all.set(part, at); at += part.length; }
  return all;
}

function fromBase64(text) {
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(text)) throw new Refused(words.malformed);
  let raw;
  try { raw = atob(text); } catch { throw new Refused(words.malformed); }
  const bytes = Uint8Array.from(raw, (sign) => sign.charCodeAt(0));
  if (btoa(String.fromCharCode(...bytes)) !== text) throw new Refused(words.malformed);
  return bytes;
}

const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
const equal = (one, other) => hex(one) === hex(other);
const sha256 = async (bytes) => new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
const leafHash = (entry) => sha256(joined([0], entry));
const nodeHash = (left, right) => sha256(joined([1], left, right));

async function get(path) {
  let answer;
  try { answer = await fetch(path, { credentials: "omit", cache: "no-cache", redirect: "error" }); }
  catch { throw new Refused(`${words.unreachable} ${path}`); }
  if (!answer.ok) throw new Refused(`${words.unreachable} ${path}`);
  return answer;
}

// --- keys and notes ---------------------------------------------------------------------------------

async function readKey(text) {
  const parts = /^([^\s+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)$/.exec(text);
  if (!parts) throw new Refused(words.pin_bad);
  const data = fromBase64(parts[3]);
  const id = (await sha256(joined(utf8(`${parts[1]}\n`), data))).slice(0, 4);
  if (hex(id) !== parts[2]) throw new Refused(words.pin_bad);
  return { name: parts[1], id: parts[2], kind: data[0], bytes: data.slice(1), text };
}

// A signed note: its text, and the signatures under it.
function readNote(text) {
  const end = text.lastIndexOf("\n\n");
  if (text.length > MAX_NOTE_CHARS || end < 0 || !text.endsWith("\n")) throw new Refused(words.malformed);
  const body = text.slice(0, end + 1);
  const lines = text.slice(end + 2, -1).split("\n");
  if (lines.length > MAX_SIGNATURES) throw new Refused(words.malformed);
  const signatures = lines.map((line) => {
    const [dash, name, base64, ...more] = line.split(" ");
    if (dash !== "\u2014" || !name || !base64 || more.length) throw new Refused(words.malformed);
    const data = fromBase64(base64);
    return { name, id: hex(data.slice(0, 4)), data: data.slice(4) };
  });
  return { body, signatures };
}

function readCheckpoint(text) {
  const note = readNote(text);
  const [origin, size, root, ...rest] = note.body.slice(0, -1).split("\n");
  if (!origin || rest.some((line) => !line) || !/^(0|[1-9][0-9]{0,14})$/.test(size)) throw new Refused(words.malformed);
  const rootBytes = fromBase64(root);
  if (rootBytes.length !== 32) throw new Refused(words.malformed);
  return { ...note, origin, size: Number(size), root: rootBytes };
}

async function hasSigned(key, message, signature) {
  if (signature.length !== 64 || key.bytes.length !== 32) return false;
  let imported;
  try { imported = await crypto.subtle.importKey("raw", key.bytes, { name: "Ed25519" }, false, ["verify"]); }
  catch { throw new Refused(words.no_ed25519); }
  return crypto.subtle.verify({ name: "Ed25519" }, imported, signature, message);
}

// --- the set of keys that a root has signed ---------------------------------------------------------

// A set with its signatures: of the root, of a former root where there is one, and of the log's current key,
// in this order and no other. Whether its root is believed is another question.
async function readSet(text) {
  const note = readNote(text);
  const lines = note.body.slice(0, -1).split("\n").map((line) => line.split(" "));
  const all = (name) => lines.slice(1).filter((line) => line[0] === name);
  const one = (name) => {
    const found = all(name);
    if (found.length !== 1 || !found[0][1]) throw new Refused(words.malformed);
    return found[0][1];
  };
  const former = all("former-root");
  const logs = all("log");
  const number = one("number");
  const isSet = lines[0].join(" ") === SET_SCHEMA && /^[1-9][0-9]{0,8}$/.test(number)
    && /^[0-9]{4}(-[0-9]{2}){2}T[0-9]{2}(:[0-9]{2}){2}Z$/.test(one("time"))
    && former.length <= 1 && logs.length > 0 && logs.length <= MAX_KEYS;
  if (!isSet) throw new Refused(words.malformed);
  const keys = await Promise.all(logs.map((line) => readKey(line[1] || "")));
  const root = await readKey(one("root"));
  const formerRoot = former.length ? await readKey(former[0][1] || "") : null;
  const origin = one("origin");
  if (keys.some((key) => key.name !== origin || key.kind !== LOG_KEY)) throw new Refused(words.malformed);
  const signers = [root, ...(formerRoot ? [formerRoot] : []), keys[0]];
  if (note.signatures.length !== signers.length) throw new Refused(words.set_unsigned);
  for (const [at, key] of signers.entries()) {
    const made = note.signatures[at];
    const isIts = key.kind === LOG_KEY && made.name === key.name && made.id === key.id
      && await hasSigned(key, utf8(note.body), made.data);
    if (!isIts) throw new Refused(words.set_unsigned);
  }
  return { text, origin, keys, root, formerRoot, number: Number(number), time: one("time"), body: note.body };
}

function refuseUnlessFollows(known, next) {
  if (next.body === known.body) return;
  const isSame = next.origin === known.origin;
  if (!isSame || next.number <= known.number || next.time < known.time) throw new Refused(words.set_older);
  const vouched = [next.root, next.formerRoot].some((root) => root && root.text === known.root.text);
  if (!vouched) throw new Refused(words.set_foreign);
}

// The newest set, if it follows from the one that this browser keeps, or from a root at the first time.
async function followSet(root) {
  const served = await readSet(await (await get("/log/keys")).text());
  const place = `${KEPT_SET}:${served.origin}`;
  const kept = localStorage.getItem(place);
  let known = kept ? await readSet(kept) : null;
  if (!known || known.root.text !== root.text) {
    // The reader has named another root than is kept: the kept set says nothing of it.
    if (![served.root, served.formerRoot].some((one) => one && one.text === root.text)) throw new Refused(words.set_foreign);
  } else {
    if (served.number - known.number > MAX_SETS) throw new Refused(words.set_older);
    const isDirect = [served.root, served.formerRoot].some((one) => one && one.text === known.root.text);
    for (let number = known.number + 1; !isDirect && number < served.number; number++) {
      const step = await readSet(await (await get(`/log/keys/${number}`)).text());
      refuseUnlessFollows(known, step);
      known = step;
    }
    refuseUnlessFollows(known, served);
  }
  localStorage.setItem(place, served.text);
  tell("good", words.set_signed, `${served.root.name}, ${served.number}, ${served.time}`);
  return served;
}

// The keys to check with: where a root is named, the log's come from the set that it signed.
async function believed(lines) {
  const roots = lines.filter((line) => line.startsWith("root "));
  const keys = await Promise.all(lines.filter((line) => !line.startsWith("root ")).map(readKey));
  if (roots.length > 1) throw new Refused(words.one_root);
  if (!roots.length) {
    if (!keys.some((key) => key.kind === LOG_KEY)) throw new Refused(words.no_pin);
    return { keys, pinned: keys.map((key) => key.text) };
  }
  const set = await followSet(await readKey(roots[0].slice(5)));
  const others = keys.filter((key) => key.kind !== LOG_KEY);
  const pinned = [`root ${set.root.text}`, ...others.map((key) => key.text)];
  return { keys: [...set.keys, ...others], pinned };
}

// --- the tree ---------------------------------------------------------------------------------------

function numbered(index) {
  let path = String(index % 1000).padStart(3, "0");
  for (let left = Math.floor(index / 1000); left > 0; left = Math.floor(left / 1000)) {
    path = `x${String(left % 1000).padStart(3, "0")}/${path}`;
  }
  return path;
}

class Tree {
  // The tree of a size, out of the hub's tiles: every hash in it is believed only as far as it leads to the root.
  constructor(size) { this.size = size; this.tiles = new Map(); }

  async tile(level, index) {
    const there = Math.floor(this.size / TILE ** level) - index * TILE;
    const width = Math.min(there, TILE);
    const path = `/log/tile/${level}/${numbered(index)}${width < TILE ? `.p/${width}` : ""}`;
    if (!this.tiles.has(path)) {
      const bytes = new Uint8Array(await (await get(path)).arrayBuffer());
      if (bytes.length !== 32 * width) throw new Refused(words.malformed);
      this.tiles.set(path, bytes);
    }
    return this.tiles.get(path);
  }

  // The hash of the complete subtree of 2^height leaves from begin on.
  async complete(begin, height) {
    const level = Math.floor(height / 8), inside = height % 8;
    const place = begin / TILE ** level;
    const tile = await this.tile(level, Math.floor(place / TILE));
    const at = place % TILE;
    let row = [];
    for (let one = at; one < at + 2 ** inside; one++) row.push(tile.slice(32 * one, 32 * (one + 1)));
    while (row.length > 1) {
      const above = [];
      for (let one = 0; one < row.length; one += 2) above.push(nodeHash(row[one], row[one + 1]));
      row = await Promise.all(above);
    }
    return row[0];
  }

  // The hash over the leaves from begin up to and without end.
  async range(begin, end) {
    const split = halfOf(end - begin);
    if (split * 2 === end - begin || end - begin === 1) {
      return this.complete(begin, Math.round(Math.log2(end - begin)));
    }
    return nodeHash(await this.range(begin, begin + split), await this.range(begin + split, end));
  }
}

// The largest power of two below a number; 0 for 1.
function halfOf(count) {
  let split = 1;
  while (split * 2 < count) split *= 2;
  return count > 1 ? split : 0;
}

const rootOf = async (tree) => (tree.size ? tree.range(0, tree.size) : sha256(new Uint8Array()));

// The root that follows from one leaf and its neighbours: RFC 6962, section 2.1.1.
async function rootFrom(tree, leaf, index, begin, end) {
  if (end - begin === 1) return leaf;
  const middle = begin + halfOf(end - begin);
  if (index < middle) {
    return nodeHash(await rootFrom(tree, leaf, index, begin, middle), await tree.range(middle, end));
  }
  return nodeHash(await tree.range(begin, middle), await rootFrom(tree, leaf, index, middle, end));
}

// Both roots that follow from the same hashes, of the first oldSize leaves and of all: section 2.1.2.
async function rootsFrom(tree, oldSize, begin, end) {
  if (oldSize >= end) {
    const whole = await tree.range(begin, end);
    return [whole, whole];
  }
  const middle = begin + halfOf(end - begin);
  if (oldSize <= middle) {
    const [old, left] = await rootsFrom(tree, oldSize, begin, middle);
    return [old, await nodeHash(left, await tree.range(middle, end))];
  }
  const left = await tree.range(begin, middle);
  const [old, right] = await rootsFrom(tree, oldSize, middle, end);
  return [await nodeHash(left, old), await nodeHash(left, right)];
}

async function leafOf(tree, number) {
  const bundle = Math.floor(number / TILE);
  const width = Math.min(tree.size - bundle * TILE, TILE);
  const path = `/log/tile/entries/${numbered(bundle)}${width < TILE ? `.p/${width}` : ""}`;
  const bytes = new Uint8Array(await (await get(path)).arrayBuffer());
  let at = 0;
  for (let one = 0; ; one++) {
    if (at + 2 > bytes.length) throw new Refused(words.malformed);
    const size = bytes[at] * 256 + bytes[at + 1];
    const entry = bytes.slice(at + 2, at + 2 + size);
    if (entry.length !== size) throw new Refused(words.malformed);
    if (one === number % TILE) return entry;
    at += 2 + size;
  }
}

// --- the checks -------------------------------------------------------------------------------------

const told = { good: 0, bad: 0, open: 0 };

function tell(how, text, more = "") {
  told[how] += 1;
  const item = document.createElement("li");
  item.className = `check-${how}`;
  item.textContent = more ? `${text} ${more}` : text;
  list.append(item);
}

async function checkSignatures(note, keys) {
  let signed = 0, refused = 0;
  for (const key of keys) {
    const lines = note.signatures.filter((one) => one.name === key.name && one.id === key.id);
    if (key.kind === LOG_KEY && key.name === note.origin) {
      const found = await Promise.all(lines.map((one) => hasSigned(key, utf8(note.body), one.data)));
      if (found.some(Boolean)) signed += 1; else refused += 1;
    } else if (key.kind === WITNESS_KEY) {
      await checkCosignature(note, key, lines);
    } else {
      tell("open", words.unchecked, key.name);
    }
  }
  if (signed) tell("good", words.signed, note.origin); else tell("bad", words.not_signed, note.origin);
  return signed > 0;
}

async function checkCosignature(note, key, lines) {
  for (const one of lines) {
    const time = Number(new DataView(one.data.buffer, one.data.byteOffset, 8).getBigUint64(0));
    const message = utf8(`cosignature/v1\ntime ${time}\n${note.body}`);
    if (await hasSigned(key, message, one.data.slice(8))) {
      tell("good", words.cosigned, `${key.name}, ${new Date(time * 1000).toISOString()}`);
      return;
    }
  }
  tell("open", words.not_cosigned, key.name);
}

async function checkTree(note) {
  const tree = new Tree(note.size);
  const good = equal(await rootOf(tree), note.root);
  tell(good ? "good" : "bad", good ? words.root : words.root_wrong, String(note.size));
  return good ? tree : null;
}

// Whether the log still begins with what this browser saw last; then remembers what it sees now.
async function checkGrowth(note, tree) {
  const key = `${SEEN}:${note.origin}`;
  let seen = null;
  try { seen = JSON.parse(localStorage.getItem(key)); } catch { seen = null; }
  const isSeen = seen && Number.isSafeInteger(seen.size) && seen.size > 0 && typeof seen.root === "string";
  if (!isSeen) {
    tell("open", words.first_seen);
  } else if (seen.size > note.size) {
    tell("bad", words.smaller, String(seen.size));
    return;
  } else if (seen.size === note.size) {
    const same = seen.root === hex(note.root);
    tell(same ? "good" : "bad", same ? words.same : words.split, String(seen.size));
    if (!same) return;
  } else {
    const [old, now] = await rootsFrom(tree, seen.size, 0, note.size);
    const grown = hex(old) === seen.root && equal(now, note.root);
    tell(grown ? "good" : "bad", grown ? words.grown : words.grown_wrong, String(seen.size));
    if (!grown) return;
  }
  localStorage.setItem(key, JSON.stringify({ size: note.size, root: hex(note.root) }));
}

async function checkEntry(note, tree, number) {
  if (number >= note.size) { tell("open", words.not_covered); return; }
  const entry = await leafOf(tree, number);
  const root = await rootFrom(tree, await leafHash(entry), number, 0, note.size);
  const included = equal(root, note.root);
  tell(included ? "good" : "bad", included ? words.included : words.not_included, String(number));
  const text = new TextDecoder().decode(entry);
  if (text !== document.getElementById("log-leaf").textContent) tell("bad", words.leaf_other);
  await checkStatement(text, number);
}

async function checkStatement(leaf, number) {
  // A page that shows no statement is not asked for one: there is nothing to compare.
  if (section.dataset.told === undefined) { tell("open", words.statement_untold); return; }
  const answer = await get(`/log/statement/${number}`);
  const said = await answer.json();
  const salt = Uint8Array.from(said.salt.match(/../g) || [], (digits) => parseInt(digits, 16));
  const made = hex(await sha256(joined(salt, fromBase64(said.statement))));
  const good = made === JSON.parse(leaf).commitment;
  tell(good ? "good" : "bad", good ? words.statement : words.statement_wrong);
}

async function check() {
  list.replaceChildren();
  Object.assign(told, { good: 0, bad: 0, open: 0 });
  list.hidden = false;
  verdict.hidden = false;
  verdict.className = "check-verdict";
  verdict.textContent = words.running;
  let isSigned = false;
  try {
    const texts = field.value.split("\n").map((line) => line.trim()).filter(Boolean).slice(0, MAX_KEYS);
    const { keys, pinned } = await believed(texts);
    localStorage.setItem(PINNED, pinned.join("\n"));
    field.value = pinned.join("\n");
    const note = readCheckpoint(await (await get("/log/checkpoint")).text());
    isSigned = await checkSignatures(note, keys);
    const tree = isSigned ? await checkTree(note) : null;
    if (tree) {
      await checkGrowth(note, tree);
      if (section.dataset.entry !== undefined) await checkEntry(note, tree, Number(section.dataset.entry));
    }
  } catch (error) {
    tell("bad", error instanceof Refused ? error.message : `${words.malformed} ${error.message}`);
  }
  const how = told.bad ? "bad" : told.open ? "partly" : "good";
  verdict.textContent = words[how];
  verdict.classList.add(`check-${how === "partly" ? "good" : how}`);
  section.dataset.verdict = how;
}

async function begin() {
  section.querySelector("[data-without-script]").hidden = true;
  if (!globalThis.isSecureContext || !crypto.subtle) {
    verdict.hidden = false;
    verdict.textContent = words.no_crypto;
    return;
  }
  form.hidden = false;
  form.addEventListener("submit", (event) => { event.preventDefault(); check(); });
  const pinned = localStorage.getItem(PINNED);
  if (pinned) {
    field.value = pinned;
    await check();
    return;
  }
  // Nothing is pinned yet: the hub's own key is put there to be compared, and nothing is checked by itself.
  verdict.hidden = false;
  try {
    field.value = (await (await get("/log/vkey")).text()).split("\n")[0];
    verdict.textContent = words.offered;
  } catch (error) {
    verdict.textContent = error instanceof Refused ? error.message : words.malformed;
  }
}

begin();
