// The live transcript: one row for each thing said or done; follows the end unless you scroll.

const WHO = { user: "caller", interim: "caller", assistant: "agent", tool: "tool", switch: "switched",
              setting: "settings", error: "error", notice: "note" };

class TranscriptList {
  constructor(store, player) {
    this.store = store;
    this.player = player;
    this.drawn = [];  // the JSON of each row as it stands on the page
    this.follows = true;
    this.list = h("ol", { class: "pl-rows", role: "log", "aria-label": "transcript", tabindex: 0 });
    this.list.addEventListener("scroll", () => {
      const box = this.list;
      this.follows = box.scrollHeight - box.scrollTop - box.clientHeight < 30;
      this.jump.hidden = this.follows;
    });
    this.list.addEventListener("click", (e) => this.clicked(e.target));
    this.list.addEventListener("keydown", (e) => {
      if ((e.key === "Enter" || e.key === " ") && this.clicked(e.target)) e.preventDefault();
      if ((e.key === "ArrowRight" || e.key === "ArrowLeft") && this.step(e.target, e.key === "ArrowRight" ? 1 : -1)) e.preventDefault();
    });
    this.jump = h("button", { type: "button", hidden: true, onclick: () => this.toEnd() }, "↓ newest");
    const copy = (text, make) => h("button", { type: "button", onclick: (e) => copyText(make(), e.target) }, text);
    this.test = h("button", { type: "button", hidden: true, title: "the caller as a screenplay, to be kept as a test", onclick: () => this.store.send({ kind: "code" }) }, "copy as a test");
    this.store.listeners.add((message) => { if (message.kind === "code") copyText(message.text, this.test); });
    this.el = h("div", { class: "pl-transcript" }, this.list,
      h("div", { class: "pl-bar" }, this.jump, h("span", { class: "pl-spacer" }), this.test,
        copy("copy text", () => transcriptText(this.store)), copy("copy Markdown", () => this.markdown())));
  }
  // From word to word: Tab reaches the first of each row, arrows the others.
  step(target, by) {
    const words = [...this.list.querySelectorAll(".pl-w")], at = words.indexOf(target);
    const next = words[at < 0 ? 0 : at + by];
    if (next) next.focus();
    return words.length > 0;
  }
  toEnd() { this.list.scrollTop = this.list.scrollHeight; this.follows = true; this.jump.hidden = true; }
  clicked(target) {
    const again = target.closest("[data-turn]");
    if (again) { copyText(againFrom(again.dataset.turn), again); return true; }
    const el = target.closest("[data-s]");
    if (!el || !(this.player.available || this.player.live)) return false;
    this.player.play(+el.dataset.s, el.dataset.e ? +el.dataset.e : null);
    return true;
  }
  update() {
    const rows = this.store.rows;
    this.test.hidden = !this.over;
    const playable = this.player.available || this.player.live ? 1 : 0;
    for (let i = 0; i < rows.length; i++) {
      if (!rows[i]) continue;
      const key = JSON.stringify(rows[i]) + playable + this.over;
      if (this.drawn[i] === key) continue;
      const open = this.list.children[i] && this.list.children[i].querySelector("details[open]");
      const el = this.row(rows[i], playable, this.over && rows[i].kind === "user" ? turnOf(rows, i) : 0);
      if (open && el.querySelector("details")) el.querySelector("details").open = true;
      while (this.list.children.length < i) this.list.append(h("li"));
      if (this.list.children[i]) this.list.children[i].replaceWith(el); else this.list.append(el);
      this.drawn[i] = key;
    }
    while (this.list.children.length > rows.length) this.list.lastChild.remove();
    this.drawn.length = rows.length;
    if (this.follows) this.list.scrollTop = this.list.scrollHeight;
  }
  highlight() {
    const t = this.store.selected;
    for (const el of this.list.querySelectorAll("[data-w]")) {
      el.classList.toggle("pl-now", t !== null && t >= +el.dataset.s && t < +el.dataset.w);
    }
  }
  // Whether the call can be run again: it is over, and not only as far as anybody can tell.
  get over() { return this.store.state === "ended" && !this.store.gone; }
  row(row, playable, turn) {
    const at = playable
      ? h("button", { type: "button", class: "pl-at", "data-s": row.at, "data-e": row.end > row.at ? row.end : row.at + 2,
          title: "play this", "aria-label": `play from ${clock(row.at, 1)}` }, clock(row.at, 1))
      : h("span", { class: "pl-at" }, clock(row.at, 1));
    const body = this.body(row, playable);
    if (turn) body.append(" ", h("button", { type: "button", class: "pl-again", "data-turn": turn, title: "copy the code that runs the call again, with another caller from here on" }, "replay from here"));
    return h("li", { class: `pl-row pl-${row.kind}` }, at, h("b", {}, WHO[row.kind] || row.kind), body);
  }
  body(row, playable) {
    const body = h("div", { class: "pl-body" });
    if (row.kind === "tool") {
      const outcome = row.error ? `${row.status}: ${row.error}` : row.status === "returned" ? `→ ${row.result}` : row.status;
      body.append(h("details", {}, h("summary", {}, h("code", {}, row.text), " ", h("span", { class: row.error ? "pl-alarm" : "pl-quiet" }, outcome)),
        h("pre", {}, JSON.stringify(row.detail, null, 2))));
      return body;
    }
    if (row.words && playable && row.words.map((w) => w[0]).join("") === row.text.replace(/\s+/g, "")) {
      row.words.forEach(([text, start, end], i) => body.append(i ? " " : "",
        h("span", { class: "pl-w", role: "button", tabindex: i ? -1 : 0, "data-s": start, "data-e": row.end, "data-w": end }, text)));
    } else body.append(row.text);
    if (row.source) body.append(h("i", { class: "pl-quiet" }, ` [${row.source}]`));
    if (row.cut) {
      body.append(" ", h("i", { class: "pl-alarm", title: "the agent was stopped here" }, "✂"));
      if (row.cut !== true) body.append(" ", h("s", { class: "pl-quiet", title: "nobody heard this" }, row.cut));
    }
    if (row.latency !== undefined) {
      const told = Object.entries(row.parts || {}).map(([name, secs]) => `${name} ${Math.round(secs * 1000)}`).join(", ");
      body.append(" ", h("span", { class: "pl-ms", title: `${told} ms` }, ms(row.latency)));
    }
    if (row.remedy) body.append(h("div", { class: "pl-quiet" }, row.remedy));
    return body;
  }
  markdown() {
    return this.store.rows.filter((r) => r && r.kind !== "interim").map((r) =>
      `- **${WHO[r.kind] || r.kind}** (${clock(r.at, 1)}): ${r.kind === "tool" ? code(told(r)) : told(r).replace(/([\\`*_[\]<>])/g, "\\$1")}`).join("\n");
  }
}

// The caller's turn that a row belongs to, from 1: what is said after something of the agent's begins one.
function turnOf(rows, place) {
  let turn = 0, heard = true;
  for (const row of rows.slice(0, place + 1)) {
    if (!row) continue;
    if (row.kind === "assistant") heard = true;
    if (row.kind === "user" && heard) { turn += 1; heard = false; }
  }
  return turn;
}

function againFrom(turn) {
  return `again = await call.replay(create_session, from_turn=${turn}, then=Caller().says("...").hears_reply().hangs_up())\nagain`;
}

function transcriptText(store) {
  return store.rows.filter((r) => r && r.kind !== "interim").map((r) =>
    `${clock(r.at, 1).padStart(7)}  ${(WHO[r.kind] || r.kind).padEnd(8)}  ${told(r)}`).join("\n");
}

function told(row) {
  const outcome = row.status === "returned" ? ` → ${row.result}` : ` (${row.error || row.status})`;
  return (row.kind === "tool" ? row.text + outcome : row.text + (row.cut ? " [interrupted]" : "")).replace(/\s+/g, " ");
}

// A code span that nothing in the text ends: fenced by more backticks than it has in a row.
function code(text) {
  const runs = (text.match(/`+/g) || []).map((run) => run.length);
  const fence = "`".repeat(Math.max(0, ...runs) + 1);
  return runs.length ? `${fence} ${text} ${fence}` : fence + text + fence;
}
