// What can be changed: the detector's and the turns' knobs, services, instructions; and what the
// LLM was given. All of it shows what the call's events say, never what was asked for.

const KNOBS = [
  ["confidence", 0, 1, 0.01, "Speech when the model is at least this sure. Costs no delay; higher misses quiet speech, lower hears noise."],
  ["start_secs", 0, 1, 0.01, "Speech must last this long: a barge-in is noticed that much later. Lower hears clicks."],
  ["stop_secs", 0, 2, 0.01, "Silence must last this long: every reply waits for it. Lower cuts slow speakers."],
  ["min_volume", 0, 1, 0.01, "Speech must be at least this loud. Costs no delay; higher misses distant speakers."],
];
const TURN_KNOBS = [
  ["incomplete_wait_secs", 0.1, 5, 0.1, "A turn that sounds unfinished is answered only after this wait."],
  ["min_words", 0, 5, 1, "The agent is only interrupted after this many words: a barge-in waits for the recogniser. 0: by voice alone."],
];

class Knobs {
  constructor(store) {
    this.store = store;
    this.rows = {};
    this.code = h("code", { class: "pl-code" });
    this.box = h("div", { class: "pl-knobs" });
    this.el = h("div", {}, this.box, h("div", { class: "pl-bar" }, h("span", { class: "pl-quiet" }, "keep it:"), this.code,
      h("button", { type: "button", onclick: (e) => copyText(this.code.textContent, e.target) }, "copy")));
  }
  update() {
    const { settings } = this.store.desk, off = this.store.state === "ended";
    for (const [name, low, high, step, help] of [...KNOBS, ...TURN_KNOBS]) {
      if (settings[name] === undefined) continue;
      if (!this.rows[name]) this.rows[name] = this.knob(name, low, high, step, help);
      const row = this.rows[name];
      row.input.disabled = off;
      if (row.asked === null || row.asked === settings[name] || performance.now() - row.askedAt > 2000) {
        row.input.value = settings[name];
        row.asked = null;
      }
      setText(row.output, `${+settings[name].toFixed(3)}${name.endsWith("secs") ? " s" : ""}`);
    }
    const four = KNOBS.map(([name]) => name).filter((name) => settings[name] !== undefined);
    const rest = TURN_KNOBS.map(([name]) => name).filter((name) => settings[name] !== undefined && this.store.changed && this.store.changed.has(name));
    const vad = four.map((name) => `"${name}": ${+settings[name].toFixed(3)}`).join(", ");
    const more = rest.map((name) => `call.tune(${name}=${+settings[name].toFixed(3)})`).join("; ");
    setText(this.code, (four.length ? `vad={${vad}}` : "vad=None") + (more ? `  # and ${more}` : ""));
  }
  knob(name, low, high, step, help) {
    const id = `pl-${name}-${Math.random().toString(36).slice(2, 8)}`;
    const input = h("input", { type: "range", id, min: low, max: high, step, title: help, "aria-describedby": `${id}-help` });
    const output = h("output", { for: id });
    // What was asked for stays on the slider until its event comes back, or did not for two seconds.
    const row = { input, output, asked: null, askedAt: 0 };
    let timer = null;
    const send = () => {
      timer = null;
      this.store.changed = (this.store.changed || new Set()).add(name);
      this.store.send({ kind: "tune", settings: { [name]: row.asked } });
    };
    input.addEventListener("input", () => {
      row.asked = +input.value;
      row.askedAt = performance.now();
      if (timer === null) timer = setTimeout(send, 120);
    });
    this.box.append(h("label", { for: id, title: help }, name), input, output, h("span", { id: `${id}-help`, class: "pl-quiet pl-help" }, help));
    return row;
  }
}

class Switches {
  constructor(store) {
    this.store = store;
    this.asked = {};
    this.el = h("div", { class: "pl-switches" });
    // Arrows go from service to service of a switcher; Space or Enter switches to the focused one.
    this.el.addEventListener("keydown", (e) => {
      const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[e.key], group = e.target.closest("[role=radiogroup]");
      if (!by || !group) return;
      const all = [...group.querySelectorAll("[role=radio]")];
      all[(all.indexOf(e.target.closest("[role=radio]")) + by + all.length) % all.length].focus();
      e.preventDefault();
    });
  }
  update() {
    const { switchers, services, latency } = this.store.desk;
    if (this.store.refusal && this.store.refusal.what === "switch_service") this.asked = {};
    const key = JSON.stringify([switchers, services, latency, this.store.state, this.asked]);
    if (key === this.key) return;
    this.key = key;
    const focused = this.el.contains(document.activeElement) ? document.activeElement.dataset.name : null;
    const groups = Object.entries(switchers).map(([kind, { services: names, active }]) => {
      if (this.asked[kind] === active) delete this.asked[kind];
      return h("div", { class: "pl-group", role: "radiogroup", "aria-label": `${kind} service` }, h("b", {}, kind), names.map((name) => {
        const state = name === active ? "active" : name === this.asked[kind] ? "asked" : "";
        return h("button", { type: "button", role: "radio", "aria-checked": String(name === active), class: `pl-service ${state}`, "data-name": name,
          disabled: this.store.state === "ended", onclick: () => this.ask(kind, name) }, name, this.figure(name));
      }));
    });
    const alone = Object.entries(services).filter(([kind]) => !switchers[kind]).map(([kind, name]) =>
      h("div", { class: "pl-group" }, h("b", {}, kind), h("span", { class: "pl-service only" }, name, this.figure(name))));
    const hint = groups.length ? [] : [h("div", { class: "pl-quiet" }, "Give Action(tts_switcher=ServiceSwitcher(services=[a, b])) to switch while it talks.")];
    this.el.replaceChildren(...groups, ...alone, ...hint);
    if (focused) { const el = this.el.querySelector(`[data-name="${CSS.escape(focused)}"]`); if (el) el.focus(); }
  }
  figure(name) {
    const known = this.store.desk.latency[name] || this.store.desk.latency[name.replace(/[ #-]?\d+$/, "")];
    return known ? h("small", { class: "pl-quiet", title: `median time to first output, of ${known.count}` }, ` ${ms(known.median)}`) : null;
  }
  ask(kind, name) {
    this.asked[kind] = name;
    this.store.send({ kind: "switch_service", service: name });
    this.update();
  }
}

class Instructions {
  constructor(store) {
    this.store = store;
    this.seen = null;
    this.area = h("textarea", { rows: 4, "aria-label": "the agent's instructions", spellcheck: "false" });
    this.apply = h("button", { type: "button", disabled: true, onclick: () => store.send({ kind: "instructions", text: this.area.value }) }, "use from the next turn");
    this.area.addEventListener("input", () => { this.apply.disabled = this.area.value === this.seen || !this.area.value.trim(); });
    this.el = h("div", {}, this.area, h("div", { class: "pl-bar" }, this.apply));
  }
  update() {
    if (this.store.instructions !== this.seen) {
      if (this.seen === null || this.area.value === this.seen || this.store.instructions === this.area.value) this.area.value = this.store.instructions;
      this.seen = this.store.instructions;
      this.apply.disabled = this.area.value === this.seen;
    }
    this.area.disabled = this.store.state === "ended";
  }
}

class Latency {
  constructor(store) {
    this.store = store;
    this.budget = 0.8;
    const input = h("input", { type: "number", min: 100, max: 5000, step: 50, value: 800, "aria-label": "budget in milliseconds" });
    input.addEventListener("change", () => { this.budget = Math.max(0.05, +input.value / 1000 || 0.8); this.key = null; this.update(); });
    this.bars = h("div", { class: "pl-bars" });
    this.summary = h("span", { class: "pl-quiet" });
    const key = Object.entries(PART_COLOURS).map(([name, colour]) => h("span", { class: "pl-part" }, h("i", { style: `background:${colour}` }), name));
    this.el = h("div", { class: "pl-latencybox" }, this.bars, h("div", { class: "pl-bar" }, h("label", { class: "pl-quiet" }, "budget ", input, " ms"), this.summary, h("span", { class: "pl-spacer" }), h("span", { class: "pl-legend pl-quiet" }, key)));
  }
  update() {
    const { turns } = this.store, key = JSON.stringify(turns) + this.budget;
    if (key === this.key) return;
    this.key = key;
    const shown = turns.slice(-40), top = Math.max(this.budget * 1.25, ...shown.map((t) => t[1])) || 1;
    const bars = shown.map(([start, total, parts, user]) => {
      const told = Object.entries(parts).filter(([, s]) => s > 0).map(([name, s]) => `${name} ${Math.round(s * 1000)}`).join(", ");
      // In milliseconds, for flex shares of less than 1 in all would not fill the bar.
      return h("div", { class: `pl-turn${total > this.budget ? " over" : ""}`, title: `${clock(start, 1)} ${user}\n${ms(total)}: ${told}` },
        h("small", {}, `${Math.round(total * 1000)}`),
        h("div", { class: "pl-stack", style: `height:${(60 * total) / top}px` }, Object.entries(parts).filter(([, s]) => s > 0).reverse().map(([name, s]) =>
          h("i", { style: `flex:${1000 * s};background:${PART_COLOURS[name] || "#888"}` }))));
    });
    this.bars.replaceChildren(h("div", { class: "pl-budget", style: `bottom:${(60 * this.budget) / top}px` }), ...bars);
    const sorted = turns.map((t) => t[1]).sort((a, b) => a - b);
    setText(this.summary, sorted.length ? `median ${ms(sorted[(sorted.length - 1) >> 1])} of ${sorted.length}` : "no turn was answered yet");
  }
}

// Every event of the call but the detector's samples, as they come; a filter by words.
class EventList {
  constructor(store) {
    this.store = store;
    this.filter = h("input", { type: "search", placeholder: "filter: Tool, Speech, error …", "aria-label": "filter of the events" });
    this.filter.addEventListener("input", () => { this.key = null; this.update(); });
    this.list = h("ol", { class: "pl-events", tabindex: 0, "aria-label": "events" });
    this.count = h("span", { class: "pl-quiet" });
    this.el = h("div", {}, h("div", { class: "pl-bar" }, this.filter, this.count), this.list);
  }
  update() {
    const box = this.el.closest("details");
    if (!box || !box.open) return;
    if (!this.store.listing) { this.store.listing = true; if (!this.store.events.length) this.store.send({ kind: "events" }); }
    const { events } = this.store, words = this.filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    const key = `${events.length} ${words.join(" ")}`;
    if (key === this.key) return;
    this.key = key;
    const found = events.filter(([, type, text]) => { const all = `${type} ${text}`.toLowerCase(); return words.every((word) => all.includes(word)); });
    const atEnd = this.list.scrollHeight - this.list.scrollTop - this.list.clientHeight < 30;
    this.list.replaceChildren(...found.slice(-MOST_EVENTS).map(([at, type, text]) =>
      h("li", {}, h("span", { class: "pl-at" }, clock(at, 2)), " ", h("b", {}, type), " ", h("span", { class: "pl-quiet" }, text))));
    setText(this.count, `${found.length} of ${events.length}${found.length > MOST_EVENTS ? `, the last ${MOST_EVENTS} shown` : ""}`);
    if (atEnd) this.list.scrollTop = this.list.scrollHeight;
  }
}
const MOST_EVENTS = 500;  // more of them make a page slow

class Contexts {
  constructor(store) {
    this.store = store;
    this.list = h("div", { class: "pl-contexts" });
    this.sum = h("div", { class: "pl-quiet" });
    this.el = h("div", {}, this.list, this.sum);
  }
  update() {
    const { contexts, usage } = this.store.desk;
    if (usage) {
      const { prompt_tokens: given, completion_tokens: made, characters } = usage;
      setText(this.sum, given + made + characters ? `In all: ${given} tokens given + ${made} made = ${given + made}; ${characters} characters spoken.` : "");
    }
    while (this.list.children.length < contexts.length) this.add(this.list.children.length);
    contexts.forEach((c, i) => {
      const tokens = c.prompt_tokens === undefined ? "" : ` · ${c.prompt_tokens} + ${c.completion_tokens || 0} tokens`;
      setText(this.list.children[i].querySelector("summary"), `${i + 1}. at ${clock(c.at, 1)} · ${c.messages} messages${tokens}`);
      const got = this.store.contexts.get(i), body = this.list.children[i].querySelector("div");
      if (got && !body.childElementCount) {
        body.replaceChildren(...got.messages.map((m) => h("div", { class: "pl-message" }, h("b", {}, m.role), h("pre", {}, said(m)))),
          h("div", { class: "pl-quiet" }, got.tools.length ? `tools: ${got.tools.join(", ")}` : "no tools"));
      }
    });
    if (!contexts.length && !this.list.textContent) setText(this.list, "The LLM was given nothing yet.");
  }
  add(index) {
    if (index === 0) this.list.textContent = "";
    const details = h("details", {}, h("summary"), h("div"));
    details.addEventListener("toggle", () => { if (details.open) this.store.send({ kind: "context", index }); });
    this.list.append(details);
  }
}

function said(message) {
  const { role, content, ...rest } = message;
  const text = typeof content === "string" ? content : content === undefined || content === null ? "" : JSON.stringify(content, null, 2);
  return text + (Object.keys(rest).length ? `${text ? "\n" : ""}${JSON.stringify(rest, null, 2)}` : "");
}
