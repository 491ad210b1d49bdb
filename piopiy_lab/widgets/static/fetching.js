// The kernel's calls for tables of many (experiments/table.js), which have only some of them. This has
// no view of its own: it works as soon as the page knows of the model, and again after a reload.

const SILENT = "The kernel does not answer: it has ended, or a cell runs. When that has run, click again.";
const WAIT_SECS = 60;

function initialize({ model }) {
  const asked = new Map();
  let last = 0;
  const answer = (id, html, refused) => {
    const waiting = asked.get(id);
    if (!waiting) return;
    asked.delete(id);
    clearTimeout(waiting.timer);
    waiting.take(html, refused);
  };
  const wanted = (event) => {
    const { batch, index, take } = event.detail;
    event.preventDefault();
    const id = ++last;
    asked.set(id, { take, timer: setTimeout(() => answer(id, null, SILENT), 1000 * WAIT_SECS) });
    model.send({ kind: "call", id, batch, index });
  };
  const heard = (message) => {
    if (message.kind === "call") answer(message.id, message.html, message.refused);
  };
  document.addEventListener("piopiy-call-wanted", wanted);
  model.on("msg:custom", heard);
  return () => {
    document.removeEventListener("piopiy-call-wanted", wanted);
    model.off("msg:custom", heard);
  };
}

export default { initialize };
