// A view of an ended call without a kernel: what the kernel would have answered stands in the page.

class KeptModel {
  constructor(kept) { this.kept = kept; this.listeners = []; }
  get(name) { return this.kept[name]; }
  on(kind, listener) { if (kind === "msg:custom") this.listeners.push(listener); }
  off() {}
  send(message) {
    const { call, buffers, contexts, sound, code } = this.kept;
    if (message.kind === "hello") this.answer(call, buffers);
    else if (message.kind === "sound") { if (sound) this.answer(sound.message, sound.buffers); }
    else if (message.kind === "code") this.answer({ kind: "code", text: code }, []);
    else if (message.kind === "context" && contexts[message.index]) this.answer(contexts[message.index], []);
  }
  answer(message, buffers) {
    const bytes = buffers.map((text) => new DataView(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer));
    queueMicrotask(() => { for (const listener of this.listeners) listener(message, bytes); });
  }
}

for (const place of document.querySelectorAll(".piopiy-kept:not([data-ready])")) {
  place.dataset.ready = "";
  const kept = JSON.parse(place.querySelector("script[type='application/json']").textContent);
  place.replaceChildren();
  render({ model: new KeptModel(kept), el: place });
}
