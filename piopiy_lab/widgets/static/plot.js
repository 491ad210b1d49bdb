// The live plot: both voices, the detector, turns, tools and moments, on one time axis.

const LANES = { top: 16, caller: 54, agent: 54, detector: 58, tools: 16, bottom: 4 };
const PLOT_HEIGHT = Object.values(LANES).reduce((a, b) => a + b, 0);
// What stands over a moment, in the clock's line: a time that it would cover is left out.
const SIGNS = { interrupted: "✂", error: "!", switched: "⇄", settings: "≡", key: "#", dropped: "▽" };

class Plot {
  constructor(store, player) {
    this.store = store;
    this.player = player;
    this.width = 10;  // seconds shown
    this.end = null;  // seconds at the right edge; null follows the call
    this.hover = null;  // x in pixels
    this.canvas = h("canvas", { class: "pl-canvas", tabindex: 0, role: "img",
      "aria-label": "Live plot: caller, agent, detector. Arrow keys scroll, + and - zoom, End follows." });
    this.tip = h("div", { class: "pl-tip", hidden: true });
    this.follow = h("button", { type: "button", title: "follow the call (End)", onclick: () => this.toggle() }, "pause");
    const zoom = (factor, text, title) => h("button", { type: "button", title, "aria-label": title,
      onclick: () => this.zoom(factor) }, text);
    this.range = h("span", { class: "pl-quiet" });
    this.el = h("div", { class: "pl-plot" },
      h("div", { class: "pl-plotbox" }, this.canvas, this.tip),
      h("div", { class: "pl-bar" }, this.follow, zoom(1.6, "−", "show more time (-)"),
        zoom(1 / 1.6, "+", "show less time (+)"),
        h("button", { type: "button", title: "show all of it", onclick: () => this.showAll() }, "all"),
        this.range, h("span", { class: "pl-spacer" }), this.legend()));
    this.listen();
  }
  legend() {
    const key = (name, text) => h("span", { class: `pl-key pl-key-${name}` }, text);
    return h("span", { class: "pl-legend pl-quiet" }, key("caller", "caller"), key("agent", "agent"),
      key("detector", "confidence"), key("volume", "volume"));
  }
  listen() {
    const c = this.canvas;
    let drag = null;
    c.addEventListener("pointerdown", (e) => {
      drag = { x: e.clientX, end: this.right(), moved: false };
      c.setPointerCapture(e.pointerId);
    });
    c.addEventListener("pointermove", (e) => {
      this.hover = e.clientX - c.getBoundingClientRect().left;
      if (!drag) return;
      const moved = e.clientX - drag.x;
      if (Math.abs(moved) > 3) drag.moved = true;
      if (drag.moved) this.moveTo(drag.end - (moved * this.width) / c.clientWidth);
    });
    c.addEventListener("pointerup", () => {
      if (drag && !drag.moved && this.player && this.player.available) this.player.play(this.timeAt(this.hover));
      drag = null;
    });
    c.addEventListener("pointerleave", () => { this.hover = null; });
    c.addEventListener("wheel", (e) => {
      if (!(e.ctrlKey || e.shiftKey || e.metaKey)) return;  // the notebook itself scrolls otherwise
      e.preventDefault();
      this.zoom((e.deltaY || e.deltaX) > 0 ? 1.25 : 0.8);
    }, { passive: false });
    c.addEventListener("keydown", (e) => {
      const step = this.width / 5;
      const act = { ArrowLeft: () => this.moveTo(this.right() - step), ArrowRight: () => this.moveTo(this.right() + step),
        "+": () => this.zoom(1 / 1.6), "=": () => this.zoom(1 / 1.6), "-": () => this.zoom(1.6), End: () => { this.end = null; },
        Home: () => this.moveTo(this.width), " ": () => this.toggle() }[e.key];
      if (act) { act(); e.preventDefault(); e.stopPropagation(); }
    });
  }
  right() { return this.end === null ? Math.max(this.store.drawn(), this.width) : this.end; }
  timeAt(x) { return Math.max(0, this.right() - this.width + (x / this.canvas.clientWidth) * this.width); }
  moveTo(end) {
    const last = Math.max(this.store.drawn(), this.width);
    this.end = end >= last - 0.01 && this.store.state !== "ended" ? null : Math.min(last, Math.max(this.width, end));
  }
  toggle() { this.end = this.end === null ? this.right() : null; }
  zoom(factor) {
    const most = Math.max(10, this.store.now), middle = this.right() - this.width / 2;
    this.width = Math.min(most, Math.max(0.5, this.width * factor));
    if (this.end !== null) this.moveTo(middle + this.width / 2);
  }
  showAll() { this.width = Math.max(2, this.store.now); this.end = this.store.state === "ended" ? this.width : null; }

  // A call that was over when the page was opened is shown whole (its first minute, if it is long);
  // what plays stays in view.
  settle() {
    const { store } = this;
    if (store.connected && this.settled === undefined) {
      this.settled = !store.live;
      if (this.settled) { this.width = Math.min(60, Math.max(2, store.now)); this.end = this.width; }
    }
    const playing = this.player && !this.player.audio.paused ? store.selected : null;
    if (playing !== null && (playing > this.right() || playing < this.right() - this.width)) this.moveTo(playing + 0.9 * this.width);
  }

  draw() {
    const c = this.canvas, cssWidth = c.clientWidth;
    if (!cssWidth) return;
    this.settle();
    const scale = window.devicePixelRatio || 1;
    if (c.width !== Math.round(cssWidth * scale)) {
      c.width = Math.round(cssWidth * scale);
      c.height = Math.round(PLOT_HEIGHT * scale);
    }
    this.ink = INK[isDark(c) ? "dark" : "light"];
    const g = c.getContext("2d");
    g.setTransform(scale, 0, 0, scale, 0, 0);
    g.clearRect(0, 0, cssWidth, PLOT_HEIGHT);
    const right = this.right(), left = right - this.width, px = cssWidth / this.width;
    const x = (t) => (t - left) * px;
    g.font = "11px system-ui, sans-serif";
    this.axis(g, left, right, x);
    let y = LANES.top;
    this.voice(g, 0, y, LANES.caller, this.ink.caller, left, right, x, "user");
    y += LANES.caller;
    this.voice(g, 1, y, LANES.agent, this.ink.agent, left, right, x, "agent");
    y += LANES.agent;
    this.detector(g, y, LANES.detector, left, right, x, cssWidth);
    y += LANES.detector;
    this.tools(g, y, LANES.tools, left, right, x);
    this.cuts(g, left, right, x);
    this.moments(g, left, right, x);
    this.heads(g, left, right, x, cssWidth);
    setText(this.follow, this.end === null ? "pause" : this.store.state === "ended" ? "end" : "live");
    setText(this.range, `${clock(left, 1)} – ${clock(right, 1)}`);
  }
  axis(g, left, right, x) {
    const steps = [0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300];
    const step = steps.find((s) => this.width / s <= 10) || 600;
    g.fillStyle = this.ink.quiet;
    g.strokeStyle = this.ink.grid;
    g.lineWidth = 1;
    const signs = this.store.marks.filter(([at, kind]) => SIGNS[kind] && at >= left && at <= right).map(([at]) => x(at));
    for (let t = Math.ceil(Math.max(0, left) / step) * step; t < right; t += step) {
      g.beginPath(); g.moveTo(x(t), LANES.top - 3); g.lineTo(x(t), PLOT_HEIGHT); g.stroke();
      const text = clock(t, step < 1 ? 1 : 0), end = x(t) + 3 + g.measureText(text).width;
      if (!signs.some((sign) => sign > x(t) - 7 && sign < end + 7)) g.fillText(text, x(t) + 3, 10);
    }
  }
  voice(g, side, y, height, colour, left, right, x, lane) {
    const middle = y + height / 2, bins = this.store.outline, secs = this.store.binSecs;
    for (const span of this.store.spans) {
      if (!span) continue;
      const end = span[3] === null ? this.store.drawn() : span[3];
      if (end < left || span[2] > right) continue;
      if (span[1] === lane) {
        g.globalAlpha = 0.13; g.fillStyle = colour;
        g.fillRect(x(span[2]), y + 2, x(end) - x(span[2]), height - 4);
      } else if (span[1] === "turn" && lane === "user") {
        g.globalAlpha = 0.9; g.fillStyle = colour;
        g.fillRect(x(span[2]), y + height - 4, x(end) - x(span[2]), 2.5);
      } else if (span[1] === "held" && lane === "agent") {
        g.globalAlpha = 0.3; g.fillStyle = colour;
        g.fillRect(x(span[2]), y + 2, Math.max(1, x(end) - x(span[2])), height - 4);
      } else if (span[1] === "muted" && lane === "user") {
        g.globalAlpha = 0.25; g.fillStyle = this.ink.quiet;
        g.fillRect(x(span[2]), y + 2, x(end) - x(span[2]), height - 4);
      }
      g.globalAlpha = 1;
    }
    g.fillStyle = colour;
    const first = Math.max(0, Math.floor(left / secs)), last = Math.min(bins.length / 2, Math.ceil(right / secs), Math.floor(this.store.drawn() / secs) + 1);
    const each = Math.max(1, Math.floor(this.width / secs / Math.max(1, this.canvas.clientWidth)));
    const width = Math.max(0.7, x(secs * each) - x(0) - 0.2);
    for (let i = first - (first % each); i < last; i += each) {
      let peak = 0;
      for (let k = i; k < Math.min(i + each, last); k++) peak = Math.max(peak, bins.data[2 * k + side]);
      const half = Math.max(0.4, (peak / 255) * (height / 2 - 4));
      g.fillRect(x(i * secs), middle - half, width, 2 * half);
    }
  }
  detector(g, y, height, left, right, x, cssWidth) {
    const { data, length } = this.store.samples, shown = this.store.drawn();
    const at = (value) => y + height - 3 - value * (height - 8);
    const settings = this.store.desk.settings;
    g.setLineDash([4, 3]);
    g.globalAlpha = 0.8;
    for (const [name, colour] of [["confidence", this.ink.detector], ["min_volume", this.ink.volume]]) {
      if (settings[name] === undefined) continue;
      g.strokeStyle = colour;
      g.beginPath(); g.moveTo(0, at(settings[name])); g.lineTo(cssWidth, at(settings[name])); g.stroke();
    }
    g.setLineDash([]);
    g.globalAlpha = 1;
    const begin = 3 * lowerBound(data, length / 3, left - 0.1);
    for (const [offset, colour, line] of [[2, this.ink.volume, 1], [1, this.ink.detector, 1.6]]) {
      g.strokeStyle = colour; g.lineWidth = line;
      g.beginPath();
      let drawing = false;
      for (let i = begin; i < length && data[i] <= Math.min(right, shown) + 0.05; i += 3) {
        if (data[i + offset] < 0) { drawing = false; continue; }
        const px = x(data[i]), py = at(data[i + offset]);
        if (drawing) g.lineTo(px, py); else g.moveTo(px, py);
        drawing = true;
      }
      g.stroke();
    }
    g.lineWidth = 1;
    if (!length && this.store.desk.vad === null && this.store.state !== "starting") {
      g.fillStyle = this.ink.quiet;
      g.fillText("no voice activity detection in this call (vad is off)", 8, y + height / 2);
    }
  }
  tools(g, y, height, left, right, x) {
    for (const span of this.store.spans) {
      if (!span || span[1] !== "tool") continue;
      const end = span[3] === null ? this.store.drawn() : span[3];
      if (end < left - this.width || span[2] > right) continue;
      g.fillStyle = this.ink.detector;
      g.globalAlpha = 0.35;
      g.fillRect(x(span[2]), y + 3, Math.max(3, x(end) - x(span[2])), height - 5);
      g.globalAlpha = 1;
      g.fillStyle = this.ink.ink;
      g.fillText(`⚙ ${span[4].split("(")[0]}`, Math.max(4, x(span[2]) + 4), y + height - 4);
    }
  }
  // The pauses that the chosen stop window would have cut: hatched, framed and named, for whoever
  // sees no colours.
  cuts(g, left, right, x) {
    const top = LANES.top + 2, height = LANES.caller - 4;
    for (const [start, secs] of this.store.cuts) {
      if (start + secs < left || start > right) continue;
      const from = x(start), width = Math.max(6, x(start + secs) - from);
      g.save();
      g.strokeStyle = g.fillStyle = this.ink.alarm;
      g.beginPath(); g.rect(from, top, width, height); g.clip();
      g.globalAlpha = 0.55;
      g.beginPath();
      for (let at = from - height; at < from + width; at += 6) { g.moveTo(at, top + height); g.lineTo(at + height, top); }
      g.stroke();
      g.restore();
      g.save();
      g.strokeStyle = g.fillStyle = this.ink.alarm;
      g.lineWidth = 1.5;
      g.strokeRect(from, top, width, height);
      g.font = "bold 11px system-ui, sans-serif";
      const long = g.measureText("cut").width, middle = from + width / 2;
      g.fillStyle = this.ink.ground;
      g.fillRect(middle - long / 2 - 2, top + height / 2 - 7, long + 4, 14);
      g.fillStyle = this.ink.alarm;
      g.fillText("cut", middle - long / 2, top + height / 2 + 4);
      g.restore();
    }
  }
  moments(g, left, right, x) {
    const colours = { interrupted: this.ink.alarm, error: this.ink.alarm, dropped: this.ink.alarm, switched: this.ink.agent };
    for (const [at, kind] of this.store.marks) {
      if (at < left || at > Math.min(right, this.store.drawn())) continue;
      if (kind === "backchannel") {  // a small diamond beside the caller's voice, and no line
        g.fillStyle = this.ink.caller;
        g.fillText("◆", x(at) - 4, LANES.top + 11);
        continue;
      }
      g.strokeStyle = colours[kind] || this.ink.quiet;
      g.globalAlpha = kind === "turn-model" ? 0.4 : 0.9;
      g.setLineDash(kind === "interrupted" ? [] : [2, 3]);
      g.beginPath(); g.moveTo(x(at), LANES.top); g.lineTo(x(at), PLOT_HEIGHT - LANES.bottom); g.stroke();
      g.setLineDash([]);
      g.fillStyle = g.strokeStyle;
      g.fillText(SIGNS[kind] || "", x(at) - 4, 11);
      g.globalAlpha = 1;
    }
  }
  heads(g, left, right, x, cssWidth) {
    if (this.store.selected !== null && this.store.state === "ended" && this.store.selected > 0) {
      g.strokeStyle = this.ink.ink;
      g.lineWidth = 1.5;
      g.beginPath(); g.moveTo(x(this.store.selected), 0); g.lineTo(x(this.store.selected), PLOT_HEIGHT); g.stroke();
      g.lineWidth = 1;
    }
    this.tip.hidden = this.hover === null;
    if (this.hover === null) return;
    const t = this.timeAt(this.hover);
    g.strokeStyle = this.ink.quiet;
    g.beginPath(); g.moveTo(this.hover, LANES.top); g.lineTo(this.hover, PLOT_HEIGHT); g.stroke();
    setText(this.tip, this.told(t));
    this.tip.style.left = `${Math.min(this.hover + 10, cssWidth - 190)}px`;
  }
  told(t) {
    const lines = [clock(t, 2)], { data, length } = this.store.samples;
    const i = 3 * Math.max(0, lowerBound(data, length / 3, t) - 1);
    if (length && Math.abs(data[i] - t) < 0.1) {
      lines.push(`confidence ${data[i + 1].toFixed(2)}${data[i + 2] < 0 ? "" : `  volume ${data[i + 2].toFixed(2)}`}`);
    }
    for (const span of this.store.spans) {
      if (!span || t < span[2] || (span[3] !== null && t > Math.max(span[3], span[2] + 0.02 * this.width))) continue;
      const names = { user: "caller speaks", agent: "agent speaks", turn: "caller's turn", muted: "muted", held: "agent held" };
      lines.push(names[span[1]] ? names[span[1]] + (span[4] ? ` (${span[4]})` : "") : span[4]);
    }
    for (const [start, secs] of this.store.cuts) if (t >= start && t <= start + Math.max(secs, 0.01 * this.width)) lines.push("this pause would have been cut");
    const near = (3 * this.width) / this.canvas.clientWidth;
    for (const [at, , label] of this.store.marks) if (Math.abs(at - t) < near) lines.push(label);
    return lines.slice(0, 9).join("\n");
  }
}

function lowerBound(data, count, t) {  // the first sample at or after t
  let low = 0, high = count;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (data[3 * middle] < t) low = middle + 1; else high = middle;
  }
  return low;
}
