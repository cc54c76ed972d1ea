// The live picture: an endless multipart answer, read part by part.
// Reading slowly is fine: the server then skips pictures.

export class Refused extends Error {
  constructor(status, message) { super(message); this.status = status; }
}

/** Yield {jpeg: Blob, before: Blob or null, index, waitedMs} for every picture at `url`, until it ends or `signal` aborts. */
export async function* pictures(url, signal) {
  const reply = await fetch(url, { signal, cache: "no-store" });
  if (!reply.ok) throw new Refused(reply.status, (await reply.json().catch(() => ({}))).error || reply.statusText);
  const bytes = new Bytes(reply.body.getReader());
  while (await bytes.line() !== null) { // the boundary
    const headers = new Map();
    for (let line; (line = await bytes.line());) {
      const colon = line.indexOf(":");
      headers.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim());
    }
    const size = Number(headers.get("content-length"));
    if (!size) return;
    const data = await bytes.take(size);
    if (!data) return;
    await bytes.line();
    const end = size - Number(headers.get("x-before-length"));
    yield {
      jpeg: blob(data.subarray(0, end)),
      before: end < size ? blob(data.subarray(end)) : null,
      index: Number(headers.get("x-frame-index")),
      waitedMs: Number(headers.get("x-frame-waited-ms")),
    };
  }
}

const blob = (data) => new Blob([data], { type: "image/jpeg" });

/** Show `jpeg` on `canvas`, which takes on its size; of several pairs of them all at once. */
export async function draw(...pairs) {
  const bitmaps = await Promise.all(pairs.map(([, jpeg]) => createImageBitmap(jpeg)));
  pairs.forEach(([canvas], k) => place(canvas, bitmaps[k]));
}

function place(canvas, bitmap) {
  if (canvas.width !== bitmap.width || canvas.height !== bitmap.height) {
    canvas.width = bitmap.width;
    canvas.height = bitmap.height;
    canvas.dispatchEvent(new Event("resize"));
  }
  canvas.getContext("2d").drawImage(bitmap, 0, 0);
  bitmap.close();
}

/** Lines and runs of bytes out of a stream; null when it has ended. */
class Bytes {
  constructor(reader) { this.reader = reader; this.held = new Uint8Array(0); }

  async more() {
    const { done, value } = await this.reader.read();
    if (done) return false;
    const joined = new Uint8Array(this.held.length + value.length);
    joined.set(this.held);
    joined.set(value, this.held.length);
    this.held = joined;
    return true;
  }

  async line() {
    for (;;) {
      const end = this.held.indexOf(10);
      if (end >= 0) return new TextDecoder().decode(this.cut(end + 1)).trimEnd();
      if (!await this.more()) return null;
    }
  }

  async take(size) {
    const parts = [];
    let missing = size;
    while (missing > 0) {
      if (!this.held.length && !await this.more()) return null;
      const part = this.cut(Math.min(missing, this.held.length));
      parts.push(part);
      missing -= part.length;
    }
    const whole = new Uint8Array(size);
    let at = 0;
    for (const part of parts) { whole.set(part, at); at += part.length; }
    return whole;
  }

  cut(size) {
    const part = this.held.slice(0, size);
    this.held = this.held.slice(size);
    return part;
  }
}
