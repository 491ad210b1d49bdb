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
  let at = el;
  while (at) {
    const match = getComputedStyle(at).backgroundColor.match(/[\d.]+/g);
    if (match && (match.length < 4 || +match[3] > 0)) {
      return 0.299 * match[0] + 0.587 * match[1] + 0.114 * match[2] < 128;
    }
    at = at.parentElement || (at.getRootNode() && at.getRootNode().host);
  }
  return false;
}
