"""HTML with scripts as marimo shows it: in a frame. Knows no marimo, and no call."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape


class Framed:
    """HTML with scripts, which marimo puts into a frame of its own, as high as what is in it."""

    def __init__(self, bundle: Mapping[str, object]) -> None:
        """Show a MIME bundle's HTML, or its text."""
        text = f"<pre>{escape(str(bundle.get('text/plain', '')))}</pre>"
        self._html = str(bundle.get("text/html", text))

    def _repr_html_(self) -> str:
        return f"{_HEAD}<body>{self._html}</body></html>"


#: Of a page in a frame, which knows nothing of the theme around it, nor how high it should be:
#: marimo makes a frame higher, but not lower.
_HEAD = """<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">
<style>body { margin: 0; display: flow-root; }</style><script>
addEventListener("DOMContentLoaded", () => {
  const own = document.documentElement, frame = window.frameElement;
  if (!frame) return;
  const outer = parent.document.body, follow = () => {
    const { colorScheme, backgroundColor } = parent.getComputedStyle(outer);
    own.style.colorScheme = colorScheme;
    own.style.backgroundColor = backgroundColor;
    own.classList.toggle("piopiy-dark", colorScheme === "dark");
  };
  follow();
  new MutationObserver(follow).observe(outer, { attributes: true, attributeFilter: ["class"] });
  const fit = () => { frame.style.height = `${document.body.offsetHeight}px`; };
  new ResizeObserver(fit).observe(document.body);
});
</script></head>"""
