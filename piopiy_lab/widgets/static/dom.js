// Small helpers for building and changing the page.

function h(tag, attributes, ...children) {
  const el = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) el.addEventListener(name.slice(2), value);
    else if (value === true) el.setAttribute(name, "");
    else el.setAttribute(name, String(value));
  }
  for (const child of children.flat()) {
    if (child !== null && child !== undefined && child !== false) el.append(child);
  }
  return el;
}

// While the focus is inside, keys are its own: the notebook has a shortcut for nearly every one ("x"
// cuts the cell), and takes the focused control for a part of its own page. Those with Ctrl, Alt or
// Meta (save, say) pass, but for Enter, which would run the cell again; Escape leads back to the cell.
// Nor do arrows on a button scroll the notebook away, in which they move from cell to cell.
const SCROLLS = ["ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight", "Home", "End", "PageUp", "PageDown"];
function keepKeys(root) {
  const keep = (e) => {
    if (e.key === "Escape" || (e.key !== "Enter" && (e.ctrlKey || e.altKey || e.metaKey))) return;
    e.stopPropagation();
    if (SCROLLS.includes(e.key) && e.target.matches("button, summary") && !e.target.closest("ol")) e.preventDefault();
  };
  for (const kind of ["keydown", "keypress", "keyup"]) root.addEventListener(kind, keep);
}

function clock(secs, digits = 0) {
  const whole = Math.max(0, secs), minutes = Math.floor(whole / 60);
  const rest = (whole - 60 * minutes).toFixed(digits).padStart(digits ? 3 + digits : 2, "0");
  return `${minutes}:${rest}`;
}

function ms(secs) { return `${Math.round(secs * 1000)} ms`; }

function setText(el, text) { if (el.textContent !== text) el.textContent = text; }

async function copyText(text, button) {
  try {
    await navigator.clipboard.writeText(text);
    flash(button, "copied");
  } catch {  // no permission, or no secure page: let the person copy it by hand
    window.prompt("Copy with Ctrl+C:", text);
  }
}

function flash(button, text) {
  const before = button.textContent;
  button.textContent = text;
  setTimeout(() => { button.textContent = before; }, 1200);
}

// Colours that stand for the same thing everywhere; on dark ground the lighter ones of each pair.
const INK = {
  light: { caller: "#0072b2", agent: "#c75000", ink: "#222", quiet: "#767676", grid: "#00000018",
           alarm: "#b2182b", detector: "#117733", volume: "#88829a", ground: "#fff" },
  dark: { caller: "#56b4e9", agent: "#ff9a4d", ink: "#e8e8e8", quiet: "#a0a0a0", grid: "#ffffff1f",
          alarm: "#ff7b86", detector: "#5fd38d", volume: "#b7b0cf", ground: "#111" },
};
const PART_COLOURS = { vad: "#88ccee", turn: "#6a5acd", transcript: "#aa4499", llm: "#2a9d55",
                       tts: "#ddcc77", output: "#cc6677" };

function isDark(el) {
  let at = el, page = el;
  while (at) {
    const colour = getComputedStyle(at).backgroundColor, match = colour.match(/[\d.]+/g);
    if (match && (match.length < 4 || +match[3] > 0)) {
      const full = colour.startsWith("color(") ? 1 : 255;  // of color(srgb 1 1 1): marimo's
      return 0.299 * match[0] + 0.587 * match[1] + 0.114 * match[2] < full / 2;
    }
    page = at;
    at = at.parentElement || (at.getRootNode() && at.getRootNode().host);
  }
  return getComputedStyle(page).colorScheme === "dark";  // nothing is painted: a frame, say
}
