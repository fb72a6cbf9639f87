// SHA-256 (FIPS 180-4) of files, piece by piece: WebCrypto takes only what is whole in memory.
// One request {id, file}, then messages {id, done} on the way and {id, sha256} or {id, failed} at the end.

const PIECE = 4 * 1024 * 1024;
const FIRST_PRIMES = [];
for (let number = 2; FIRST_PRIMES.length < 64; number++) {
  if (FIRST_PRIMES.every((prime) => number % prime)) FIRST_PRIMES.push(number);
}
const fraction = (root) => Math.floor((root - Math.floor(root)) * 2 ** 32) | 0;
const K = Int32Array.from(FIRST_PRIMES, (prime) => fraction(Math.cbrt(prime)));
const START = Int32Array.from(FIRST_PRIMES.slice(0, 8), (prime) => fraction(Math.sqrt(prime)));

class Sha256 {
  constructor() {
    this.state = START.slice();
    this.rest = new Uint8Array(64);
    this.filled = 0;
    this.bytes = 0;
    this.w = new Int32Array(64);
  }

  update(data) {
    this.bytes += data.length;
    let at = 0;
    if (this.filled) {
      const taken = Math.min(64 - this.filled, data.length);
      this.rest.set(data.subarray(0, taken), this.filled);
      this.filled += taken;
      at = taken;
      if (this.filled < 64) return;
      this.blocks(this.rest, 0, 64);
      this.filled = 0;
    }
    const end = at + Math.floor((data.length - at) / 64) * 64;
    this.blocks(data, at, end);
    this.rest.set(data.subarray(end), 0);
    this.filled = data.length - end;
  }

  finish() {
    const bits = this.bytes * 8;
    const tail = new Uint8Array(this.filled < 56 ? 64 : 128);
    tail.set(this.rest.subarray(0, this.filled));
    tail[this.filled] = 0x80;
    const view = new DataView(tail.buffer);
    view.setUint32(tail.length - 8, Math.floor(bits / 2 ** 32));
    view.setUint32(tail.length - 4, bits % 2 ** 32);
    this.blocks(tail, 0, tail.length);
    return Array.from(this.state, (word) => (word >>> 0).toString(16).padStart(8, "0")).join("");
  }

  blocks(data, start, end) {
    const w = this.w, state = this.state;
    let [h0, h1, h2, h3, h4, h5, h6, h7] = state;
    for (let at = start; at < end; at += 64) {
      for (let t = 0, i = at; t < 16; t++, i += 4) {
        w[t] = (data[i] << 24) | (data[i + 1] << 16) | (data[i + 2] << 8) | data[i + 3];
      }
      for (let t = 16; t < 64; t++) {
        const x = w[t - 15], y = w[t - 2];
        const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
        const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
        w[t] = (w[t - 16] + s0 + w[t - 7] + s1) | 0;
      }
      let a = h0, b = h1, c = h2, d = h3, e = h4, f = h5, g = h6, h = h7;
      for (let t = 0; t < 64; t++) {
        const big1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
        const t1 = (h + big1 + ((e & f) ^ (~e & g)) + K[t] + w[t]) | 0;
        const big0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
        const t2 = (big0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
        h = g; g = f; f = e; e = (d + t1) | 0; d = c; c = b; b = a; a = (t1 + t2) | 0;
      }
      h0 = (h0 + a) | 0; h1 = (h1 + b) | 0; h2 = (h2 + c) | 0; h3 = (h3 + d) | 0;
      h4 = (h4 + e) | 0; h5 = (h5 + f) | 0; h6 = (h6 + g) | 0; h7 = (h7 + h) | 0;
    }
    state[0] = h0; state[1] = h1; state[2] = h2; state[3] = h3;
    state[4] = h4; state[5] = h5; state[6] = h6; state[7] = h7;
  }
}

const dropped = new Set();

async function hash({ id, file }) {
  const sum = new Sha256();
  for (let at = 0; at < file.size; at += PIECE) {
    if (dropped.delete(id)) return;
    sum.update(new Uint8Array(await file.slice(at, at + PIECE).arrayBuffer()));
    postMessage({ id, done: Math.min(at + PIECE, file.size) });
  }
  postMessage({ id, sha256: sum.finish() });
}

let queue = Promise.resolve();
addEventListener("message", ({ data }) => {
  if (data.drop !== undefined) { dropped.add(data.drop); return; }
  queue = queue.then(() => hash(data)).catch(() => postMessage({ id: data.id, failed: true }));
});
