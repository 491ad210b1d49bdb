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
    this.asked = null;  // when the kernel was asked for something that it has not answered since
    this.silent = false;  // it has not for long
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
    this.events = [];
    this.listing = false;  // whether the events were asked for
    this.desk = { settings: {}, services: {}, switchers: {}, latency: {}, contexts: [] };
    this.contexts = new Map();
    this.instructions = "";
    this.state = "starting";
    this.activity = "idle";
    this.now = 0;
    this.live = true;
    this.sound = null;
    this.hasSound = false;
    this.binSecs = 0.02;
    this.refusal = null;
    this.failure = "";
    this.connected = false;
    this.levels = null;  // dBFS of both sides, where no sound is kept that could be drawn
    this.stops = [];  // of an ended call: what each stop window would have cut
    this.cuts = [];  // what the chosen one would have: [start, seconds]
    this.lag = null;  // seconds between the page's clock and the call's, as small as was seen
  }
  send(message) {
    if (this.gone) return;
    if (message.kind === "hello" || message.kind === "here") this.asked ??= performance.now();
    else if (message.kind === "away") this.asked = null;
    try {
      this.model.send(message);
    } catch (error) {  // nobody is there to take it
      console.warn(error);
      this.end("the kernel has ended", GONE);
    }
  }
  tell(message) { for (const listener of [...this.listeners]) listener(message); }
  // The kernel is gone: the call is over as far as anybody can tell.
  end(reason, error) {
    this.gone = true;
    this.hasSound = false;
    this.state = "ended";
    this.activity = "idle";
    this.desk.ended = { reason, error };
    this.tell({ kind: "call" });
  }
  take(message, buffers) {
    this.asked = null;
    if (message.kind === "call") this.takeCall(message, buffers);
    else if (message.kind === "context") this.contexts.set(message.index, message);
    else if (message.kind === "refused") this.refusal = message;
    else if (message.kind === "kept") this.kept = true;
    else if (message.kind === "code") this.code = message.text;
    else if (message.kind === "sound") {
      this.sound = URL.createObjectURL(new Blob([buffers[0]], { type: message.type }));
    } else if (message.kind === "clip") {
      this.clip = URL.createObjectURL(new Blob([buffers[0]], { type: message.type }));
    } else return;
    this.tell(message);
  }
  takeCall(m, buffers) {
    if (m.reset) {
      this.reset();
      Object.assign(this, { modelId: m.model_id, callId: m.call_id, binSecs: m.bin_secs, live: m.live, hasSound: m.sound });
    }
    if (!this.connected && !m.reset) return;  // from before this page said hello
    this.connected = true;
    this.now = m.now;
    this.state = m.state;
    this.activity = m.activity;
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
    if (m.events) this.events.push(...m.events);
    if (m.instructions !== undefined) this.instructions = m.instructions;
    if (m.levels) this.levels = m.levels;
    if (m.stops) this.stops = m.stops;
    if (m.failure) this.failure = m.failure;  // the user's own lines of what went wrong
    if (m.state === "ended") this.hasSound ||= this.outline.data.subarray(0, this.outline.length).some((v) => v);
  }
  // A call that failed before anything was said: there is nothing to draw, nor to play.
  get nothing() {
    return this.state === "ended" && Boolean(this.desk.ended?.error) && this.rows.every((row) => !["user", "assistant", "tool"].includes(row.kind));
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
