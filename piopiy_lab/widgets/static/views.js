// The views: which parts each shows, and the panel's own controls. Exports what anywidget calls.

class Controls {
  constructor(store) {
    this.store = store;
    this.dot = h("i", { class: "pl-dot" });
    this.state = h("b", { class: "pl-state" });
    this.timer = h("span", { class: "pl-timer" });
    this.meters = [this.meter("caller"), this.meter("agent")];
    const button = (text, kind, title) => h("button", { type: "button", title, onclick: () => store.send({ kind }) }, text);
    this.stop = button("interrupt", "interrupt", "stop what the agent says");
    this.mute = h("button", { type: "button", "aria-pressed": "false", title: "close your side", onclick: () => this.setMute(!this.muted) }, "mute");
    this.talk = h("button", { type: "button", title: "hold to talk (while muted)" }, "hold to talk");
    // Whoever lets go is muted again, even before the event of the opening has come back.
    const hold = (held) => {
      if (this.held === held) return;
      this.held = held;
      store.send({ kind: "mute", muted: !held });
      this.talk.classList.toggle("pl-held", held);
    };
    this.held = false;
    this.talk.addEventListener("pointerdown", (e) => { this.talk.setPointerCapture(e.pointerId); hold(true); });
    for (const name of ["pointerup", "pointercancel", "lostpointercapture", "blur"]) this.talk.addEventListener(name, () => hold(false));
    this.talk.addEventListener("keydown", (e) => { if (e.key === " ") { e.preventDefault(); hold(true); } });
    this.talk.addEventListener("keyup", (e) => { if (e.key === " ") { e.preventDefault(); hold(false); } });
    this.hang = h("button", { type: "button", class: "pl-hang", title: "end the call", onclick: () => store.send({ kind: "hang_up" }) }, "hang up");
    this.pad = h("details", { class: "pl-pad" }, h("summary", { title: "phone keypad" }, "keypad"), h("div", { class: "pl-keys" },
      [..."123456789*0#"].map((digit) => h("button", { type: "button", onclick: () => store.send({ kind: "press", digits: digit }) }, digit))));
    this.text = h("input", { type: "text", placeholder: "type a turn for the caller …", "aria-label": "a typed turn" });
    const asked = (kind) => { if (this.text.value.trim()) { store.send({ kind, text: this.text.value }); this.text.value = ""; } };
    this.text.addEventListener("keydown", (e) => { if (e.key === "Enter") { e.preventDefault(); asked("user_says"); } });
    this.send = h("button", { type: "button", title: "as the caller (Enter)", onclick: () => asked("user_says") }, "send");
    this.say = h("button", { type: "button", title: "let the agent speak this text", onclick: () => asked("say") }, "agent says it");
    this.banner = h("div", { class: "pl-banner", role: "alert", hidden: true });
    this.head = h("div", { class: "pl-head" }, this.dot, this.state, this.timer, this.meters, h("span", { class: "pl-spacer" }), this.stop, this.mute, this.talk, this.pad, this.hang);
    this.typing = h("div", { class: "pl-typing" }, this.text, this.send, this.say);
    this.el = h("div", {}, this.head, this.banner);
  }
  get muted() { return this.store.spans.some((s) => s && s[1] === "muted" && s[3] === null); }
  setMute(muted) { if (muted !== this.muted) this.store.send({ kind: "mute", muted }); }
  meter(name) {
    const bar = h("i", { class: `pl-fill pl-${name}` });
    const el = h("span", { class: "pl-meter", title: `${name}'s level`, role: "img", "aria-label": `${name}'s level` }, bar);
    el.bar = bar;
    return el;
  }
  update() {
    const { store } = this, over = store.state === "ended", { ended, error } = store.desk;
    this.dot.className = `pl-dot ${store.state} ${store.activity}`;
    setText(this.state, over ? `ended${ended ? ` · ${ended.reason.replace(/_/g, " ")}` : ""}` : store.state === "starting" ? `starting${store.desk.waits_for ? ` · waits for ${store.desk.waits_for}` : ""}` : store.activity);
    for (const el of [this.stop, this.mute, this.pad, this.hang, this.typing, ...this.meters]) el.hidden = over;
    // The browser's microphone, above, has its own: two of each would be one too many.
    if (store.desk.origin === "browser") this.mute.hidden = this.hang.hidden = true;
    this.mute.setAttribute("aria-pressed", String(this.muted));
    setText(this.mute, this.muted ? "unmute" : "mute");
    this.talk.hidden = (!this.muted && !this.held) || over || store.desk.origin === "browser";
    const why = store.silent ? SILENT : store.refusal ? `${store.refusal.what}: ${store.refusal.why}` : ended && ended.error ? store.failure || ended.error : error ? error.text : "";
    this.banner.hidden = !why || why === this.dismissed;
    if (why !== this.why) {
      this.why = why;
      this.banner.replaceChildren(why, error && error.remedy && !store.refusal ? h("div", {}, error.remedy) : "",
        h("button", { type: "button", "aria-label": "dismiss", onclick: () => { this.dismissed = why; store.refusal = null; this.update(); } }, "×"));
    }
  }
  draw() {
    setText(this.timer, clock(this.store.drawn()));
    this.meters.forEach((meter, side) => { meter.bar.style.width = `${100 * this.store.level(side)}%`; });
  }
}

function section(title, part, open = false) {
  const el = h("details", { class: "pl-section", open }, h("summary", {}, title), part.el);
  el.addEventListener("toggle", () => part.update());
  return el;
}

const VIEWS = {
  panel(store, player) {
    const controls = new Controls(store), plot = new Plot(store, player), talk = new TranscriptList(store, player);
    const knobs = new Knobs(store), switches = new Switches(store), latency = new Latency(store), contexts = new Contexts(store), said = new Instructions(store), events = new EventList(store), stops = new StopWindows(store, player, plot);
    const grid = h("div", { class: "pl-grid" }, h("div", {}, talk.el, controls.typing), h("div", {},
      section("Services", switches, true), section("Latency", latency, true), section("Detector and turns", knobs), section("Instructions", said), section("What the LLM was given", contexts), section("Events", events)));
    return { parts: [controls, talk, knobs, switches, latency, contexts, said, events, stops], drawn: [controls, plot], els: [controls.el, plot.el, stops.el, player.el, grid], talk };
  },
  vad(store, player) {
    const plot = new Plot(store, player), knobs = new Knobs(store), stops = new StopWindows(store, player, plot);
    return { parts: [knobs, stops], drawn: [plot], els: [plot.el, stops.el, player.el, knobs.el] };
  },
  transcript(store, player) {
    const talk = new TranscriptList(store, player);
    return { parts: [talk], drawn: [], els: [talk.el, player.el], talk };
  },
  services(store) { const part = new Switches(store); return { parts: [part], drawn: [], els: [part.el] }; },
  latency(store) { const part = new Latency(store); return { parts: [part], drawn: [], els: [part.el] }; },
  context(store) { const part = new Contexts(store); return { parts: [part], drawn: [], els: [part.el] }; },
};

function initialize({ model }) { model.piopiy = new Store(model); }

function render({ model, el }) {
  const store = model.piopiy || (model.piopiy = new Store(model));
  const player = new Player(store);
  const { parts, drawn, els, talk } = VIEWS[model.get("view")](store, player);
  const root = h("div", { class: "piopiy-panel", "data-view": model.get("view") }, els);
  keepKeys(root);
  el.append(root);
  let visible = true, frame = 0;
  const update = (message) => {
    if (message.kind === "playing") { if (talk) talk.highlight(); return; }
    for (const part of parts) part.update();
    player.update();
    if (message.kind === "call") root.dataset.state = store.state;
    root.classList.toggle("nothing", store.nothing);
  };
  const loop = () => {
    frame = 0;
    if (!visible) return;
    root.classList.toggle("dark", isDark(el));
    root.classList.toggle("bare", !getComputedStyle(el).getPropertyValue("--jp-layout-color1"));
    for (const part of drawn) part.draw();
    if (drawn.length) frame = requestAnimationFrame(loop);
  };
  const see = (seen) => {
    if (seen === visible && seen) return;
    visible = seen;
    store.send({ kind: seen ? "here" : "away" });
    if (seen && !frame) frame = requestAnimationFrame(loop);
  };
  store.listeners.add(update);
  const keeper = new Keeper(store, model);
  const watcher = new IntersectionObserver((entries) => see(entries.at(-1).isIntersecting));
  watcher.observe(root);
  const beat = setInterval(() => { if (visible && store.state !== "ended") store.send({ kind: "here" }); }, 20000);
  // Until it is answered: while a page is loaded again, a message may get lost on the way.
  const hello = () => { if (store.connected) clearInterval(knocking); else store.send({ kind: "hello" }); };
  const knocking = setInterval(hello, 2000);
  hello();
  frame = requestAnimationFrame(loop);
  return () => {
    cancelAnimationFrame(frame);
    clearInterval(beat);
    clearInterval(knocking);
    watcher.disconnect();
    store.listeners.delete(update);
    keeper.close();
    store.send({ kind: "away", gone: true });
  };
}

export default { initialize, render };
