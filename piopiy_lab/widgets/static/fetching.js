// The kernel's calls for tables of many (experiments/table.js), which have only some of them. This has
// no view of its own: it works as soon as the page knows of the model, and again after a reload. In one
// page there may be several, of several notebooks' kernels: all are asked, and the one that has the call
// answers; that nobody has it is said when all have said so.

const SILENT = "The kernel does not answer: it has ended, or a cell runs. When that has run, close and open this again.";
const WAIT_SECS = 60;

function initialize({ model }) {
  const asked = new Map();  // by an id that no other tab has: all tabs hear all answers
  const answer = (id, html, refused) => {
    const waiting = asked.get(id);
    if (!waiting) return;
    asked.delete(id);
    clearTimeout(waiting.timer);
    waiting.detail.waiting -= 1;
    if (html || !waiting.detail.waiting) waiting.detail.take(html, refused);
    if (html) waiting.detail.take = () => {};
  };
  const wanted = (event) => {
    const { detail } = event, id = `${Math.random()}`;
    event.preventDefault();
    detail.waiting = (detail.waiting || 0) + 1;
    asked.set(id, { detail, timer: setTimeout(() => answer(id, null, SILENT), 1000 * WAIT_SECS) });
    model.send({ kind: "call", id, batch: detail.batch, index: detail.index });
  };
  const heard = (message) => {
    if (message.kind === "call") answer(message.id, message.html, message.refused);
  };
  document.addEventListener("piopiy-call-wanted", wanted);
  model.on("msg:custom", heard);
  return () => {
    document.removeEventListener("piopiy-call-wanted", wanted);
    model.off("msg:custom", heard);
    for (const id of [...asked.keys()]) answer(id, null, SILENT);
  };
}

export default { initialize };
