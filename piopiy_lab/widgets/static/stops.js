// Of an ended call: which of the caller's pauses another stop window would have cut. A slider, the
// pauses in words, and the same pauses hatched in the plot. The figures are call.robustness()'s.

class StopWindows {
  constructor(store, player, plot) {
    this.store = store;
    this.player = player;
    this.plot = plot;
    const id = `pl-stops-${Math.random().toString(36).slice(2, 8)}`;
    this.input = h("input", { type: "range", id, min: 0, step: 1, "aria-describedby": `${id}-told` });
    this.output = h("output", { for: id });
    this.told = h("span", { id: `${id}-told`, role: "status" });
    this.cuts = h("span", { class: "pl-cuts" });
    this.input.addEventListener("input", () => this.show());
    this.slider = h("div", { class: "pl-bar" }, h("label", { for: id }, "what if the detector waited"), this.input, this.output, this.told, this.cuts);
    this.hint = h("div", { class: "pl-quiet" }, "Which pauses would another stop window have cut? ", h("code", { class: "pl-code" }, "call.robustness()"), " finds it out, and then there is a slider here.");
    this.el = h("div", { class: "pl-stops", hidden: true }, this.slider, this.hint);
  }
  update() {
    const { store } = this, known = store.stops.length > 0;
    this.el.hidden = store.state !== "ended" || store.desk.vad === null || store.gone || store.live;
    this.slider.hidden = !known;
    this.hint.hidden = known;
    if (!known || this.stops === store.stops) return;
    this.stops = store.stops;
    this.own = this.stops.findIndex((one) => one.stop_secs === store.desk.settings.stop_secs);
    this.input.max = this.stops.length - 1;
    this.input.value = Math.max(0, this.own);
    this.show();
  }
  show() {
    const at = +this.input.value, { stop_secs: secs, pauses, cuts, delay } = this.stops[at];
    setText(this.output, `${secs} s${at === this.own ? ", as it was set" : ""}`);
    const all = `of ${pauses} pause${pauses === 1 ? "" : "s"}`;
    const these = cuts.length === 0 ? "none" : cuts.length === 1 ? "this one" : `these ${cuts.length}`;
    const late = delay === null ? "" : `; turns end ${delay.toFixed(2)} s after the last word`;
    setText(this.told, `${all} ${these} would have been cut${late}`);
    this.input.setAttribute("aria-valuetext", `${secs} seconds: ${this.told.textContent}`);
    this.cuts.replaceChildren(...cuts.map(([start, long]) => h("button", { type: "button", title: "hear it, and see it in the picture",
      onclick: () => this.hear(start, long) }, `${clock(start, 1)}${long ? ` · ${long.toFixed(2)} s` : " · a breath"}`)));
    this.store.cuts = cuts;  // the plot draws them
  }
  hear(start, long) {
    this.plot.moveTo(Math.max(this.plot.width, start + long + this.plot.width / 2));
    if (this.player.available) this.player.play(Math.max(0, start - 1.5), start + long + 1);
  }
}
