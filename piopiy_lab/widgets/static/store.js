// What the page knows of a call: filled by the kernel's messages, read by the views.

class Growing {  // a typed array that grows
  constructor(Kind) { this.Kind = Kind; this.data = new Kind(4096); this.length = 0; }
  write(at, values) {
    const end = at + values.length;
    if (end > this.data.length) {
      const more = new this.Kind(Math.max(end, 2 * this.data.length));
      more.set(this.data.subarray(0, this.length));
      this.data = more;
    }
    this.data.set(values, at);
    this.length = Math.max(this.length, end);
  }
}

class Store {
  constructor(model) {
    this.model = model;
    this.listeners = new Set();
    this.selected = null;  // seconds, where the player is
    this.reset();
    model.on("msg:custom", (message, buffers) => this.take(message, buffers || []));
  }
  reset() {
    this.outline = new Growing(Uint8Array);  // caller and agent by turns, one pair a bin
    this.samples = new Growing(Float32Array);  // time, confidence, volume
    this.spans = [];
    this.marks = [];
    this.rows = [];
    this.turns = [];
    this.desk = { settings: {}, services: {}, switchers: {}, latency: {}, contexts: [] };
    this.contexts = new Map();
    this.instructions = "";
    this.state = "starting";
    this.now = 0;
    this.live = true;
    this.sound = null;
    this.hasSound = false;
    this.binSecs = 0.02;
    this.refusal = null;
    this.connected = false;
    this.levels = null;  // dBFS of both sides, where no sound is kept that could be drawn
    this.lag = null;  // seconds between the page's clock and the call's, as small as was seen
  }
  send(message) { this.model.send(message); }
  take(message, buffers) {
    if (message.kind === "call") this.takeCall(message, buffers);
    else if (message.kind === "context") this.contexts.set(message.index, message);
    else if (message.kind === "refused") this.refusal = message;
    else if (message.kind === "sound") {
      this.sound = URL.createObjectURL(new Blob([buffers[0]], { type: message.type }));
    } else return;
    for (const listener of [...this.listeners]) listener(message);
  }
  takeCall(m, buffers) {
    if (m.reset) {
      this.reset();
      Object.assign(this, { callId: m.call_id, binSecs: m.bin_secs, live: m.live, hasSound: m.sound });
    }
    if (!this.connected && !m.reset) return;  // from before this page said hello
    this.connected = true;
    this.now = m.now;
    this.state = m.state;
    const lag = performance.now() / 1000 - m.now;
    this.lag = this.lag === null || lag < this.lag ? lag : this.lag + 0.02 * (lag - this.lag);
    const outline = bytesOf(buffers[0]);
    this.outline.write(2 * m.bins, outline);
    this.samples.write(this.samples.length, floatsOf(buffers[1]));
    for (const span of m.spans || []) this.spans[span[0]] = span;
    if (m.marks) this.marks.push(...m.marks);
    for (const [place, row] of m.rows || []) this.rows[place] = row;
    if (m.row_count !== undefined) this.rows.length = m.row_count;
    if (m.turns) this.turns = [...this.turns.slice(0, m.turns_from), ...m.turns];
    if (m.desk) Object.assign(this.desk, m.desk);
    for (const [place, context] of m.contexts || []) this.desk.contexts[place] = context;
    if (m.instructions !== undefined) this.instructions = m.instructions;
    if (m.levels) this.levels = m.levels;
    if (m.state === "ended" && outline.length) this.hasSound = this.hasSound || outline.some((v) => v);
  }
  // The second of the call to draw now: a moment behind, so that what is drawn has arrived.
  drawn() {
    if (this.state === "ended" || this.lag === null) return this.now;
    return Math.min(this.now, Math.max(0, performance.now() / 1000 - this.lag - 0.27));
  }
  level(side) {  // 0..1, of the newest bins, or as measured (speech peaks at about 3 times its RMS)
    if (!this.outline.length && this.levels && this.state !== "ended") {
      return Math.sqrt(Math.min(1, 3 * 10 ** (this.levels[side] / 20)));
    }
    const end = Math.min(this.outline.length, 2 * Math.floor(this.drawn() / this.binSecs));
    let peak = 0;
    for (let i = Math.max(side, end - 8 + side); i < end; i += 2) peak = Math.max(peak, this.outline.data[i]);
    return this.state === "ended" ? 0 : peak / 255;
  }
}

function bytesOf(buffer) {
  if (!buffer) return new Uint8Array(0);
  return buffer instanceof DataView
    ? new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength) : new Uint8Array(buffer);
}

function floatsOf(buffer) {
  const bytes = bytesOf(buffer);
  return new Float32Array(bytes.slice().buffer);  // a copy: the offset need not be a multiple of 4
}
