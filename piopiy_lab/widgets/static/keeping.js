// What is left of a view when its call or its kernel has ended: written into the notebook, in its place.

const GONE = "The kernel was restarted or has ended, and the call with it. Run the cell again to call anew.";
const SILENT_SECS = 30;
const SILENT = `The kernel has not answered for ${SILENT_SECS} s: it is gone, or held up. This is how the call stood then.`;

// Only JupyterLab and Notebook 7 let a widget reach the notebook that it is in; elsewhere the view
// stays as it is while the page is open.
function putInNotebook(manager, modelId, bundle) {
  const cells = manager && manager.context && manager.context.model && manager.context.model.cells;
  if (!cells || !modelId) return;
  for (const { outputs } of cells) {
    for (let i = 0; outputs && i < outputs.length; i++) {
      const view = outputs.get(i).data["application/vnd.jupyter.widget-view+json"];
      if (view && view.model_id === modelId) outputs.set(i, { output_type: "display_data", data: bundle, metadata: {} });
    }
  }
}

class Keeper {
  constructor(store, model) {
    this.store = store;
    this.model = model;
    this.timers = [setInterval(() => this.listen(), 5000)];
    this.heard = (message) => this.take(message);
    store.listeners.add(this.heard);
    model.on("comm_live_update", () => this.look());
  }
  // The kernel puts the kept call in this view's place. A page that was loaded again does not know
  // that place any more: it asks for what is kept, and writes it into the notebook itself. When no
  // kernel answers, what was said is written there.
  take(message) {
    const { store } = this;
    if (message.kind === "kept") putInNotebook(this.model.widget_manager, message.model_id, message.bundle);
    if (message.kind !== "call" || store.state !== "ended" || !store.live || this.over) return;
    this.over = true;
    if (store.gone) { this.keepText(GONE); return; }
    this.later(3, () => store.send({ kind: "keep" }));
    this.later(9, () => this.giveUp());
  }
  giveUp() {
    if (this.store.kept) return;
    const { session } = (this.model.widget_manager || {}).context?.sessionContext || {};
    if (session?.kernel?.status === "busy") this.later(5, () => this.giveUp());  // it answers when its cell has run
    else this.keepText("The call and its kernel have ended; its sound was not kept.");
  }
  keepText(why) {
    putInNotebook(this.model.widget_manager, this.store.modelId, { "text/plain": `${why}\n\n${transcriptText(this.store)}` });
  }
  later(secs, act) { this.timers.push(setTimeout(act, 1000 * secs)); }
  // The front end knows that a kernel was restarted: its widgets are connected no more.
  async look() {
    const { store } = this, manager = this.model.widget_manager;
    if (store.state === "ended" || !store.modelId || !manager) return;
    const whole = await manager.get_model(store.modelId);
    if (whole && whole.comm_live === false) store.end("the kernel has ended", GONE);
  }
  // Where it does not tell: a page that looks at a running call is told several times a second.
  listen() {
    const { store } = this, since = store.asked;
    const silent = store.state !== "ended" && since !== null && performance.now() - since > 1000 * SILENT_SECS;
    if (silent !== store.silent) { store.silent = silent; store.tell({ kind: "silence" }); }
  }
  close() {
    this.timers.forEach(clearTimeout);
    this.store.listeners.delete(this.heard);
  }
}
