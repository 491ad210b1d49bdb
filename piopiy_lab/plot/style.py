"""How the figures look: colours, sizes, fonts, and the one way to write text.

The colours that HTML shares are in ``display.palette``. Every property is given explicitly, so
a user's ``rcParams`` (dark style, usetex) change nothing.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.text import Text

from piopiy_lab.display.palette import ALARM as ALARM
from piopiy_lab.display.palette import PARTS as PARTS
from piopiy_lab.display.palette import SIDES as SIDES

DPI = 100  # layout is done in pixels at this resolution; saving at another scales everything
TEXT_PT = 8.0
SMALL_PT = 7.0

INK = "#222222"
QUIET = "#767676"  # 4.5:1 on white
FAINT = "#d9d9d9"
PAPER = "#ffffff"
SPEECH = "#cfe4f2"  # behind the caller's waveform
HELD = "#f7d9c0"  # behind the agent's, where its sound was held
VOLUME = "#8a8a8a"
TOOL = "#117733"
MARKS = {
    "tool": TOOL,
    "key": "#332288",
    "error": ALARM,
    "switch": "#882255",
    "note": QUIET,
    "cut": ALARM,
}
#: Said in the legend, where the name alone is not enough.
PART_NAMES = {
    "vad": "silence heard (vad)",
    "turn": "turn decided",
    "transcript": "transcript",
    "llm": "first LLM text",
    "tts": "first speech audio",
    "output": "on its way out",
}

#: Scripts that DejaVu Sans, matplotlib's own font, doesn't hold; whichever of these is installed
#: is used for them.
_MORE_FONTS = (
    "Noto Sans",
    "Noto Sans Devanagari",
    "Noto Sans Tamil",
    "Noto Sans Telugu",
    "Noto Sans Kannada",
    "Noto Sans Malayalam",
    "Noto Sans Bengali",
    "Noto Sans CJK JP",
    "Noto Sans CJK SC",
    "Nirmala UI",
    "Arial Unicode MS",
    "Microsoft YaHei",
    "PingFang SC",
    "Hiragino Sans",
    "FreeSans",
    "Lohit Devanagari",
    "Lohit Tamil",
)


class CallFigure(Figure):
    """A figure outside of pyplot that a notebook shows by itself."""

    def __init__(self, width: float, height: float) -> None:
        """Make an empty white figure; width and height in pixels at 100 dpi."""
        super().__init__(figsize=(width / DPI, height / DPI), dpi=DPI, facecolor=PAPER)
        FigureCanvasAgg(self)

    def _repr_png_(self) -> bytes:
        return png_of(self)

    def _repr_html_(self) -> str:
        """Return it for a page that may be dark, or narrow; its label says what it shows."""
        from piopiy_lab.display.bundle import picture_html

        return picture_html(png_of(self), str(self.get_label() or "figure"))


def png_of(figure: Figure, dpi: int = 144) -> bytes:
    """Return the figure as a PNG of at most 256 colours: a third of the usual size.

    The bytes depend on the picture alone (no version, no date).
    """
    import io

    from PIL import Image

    plain = io.BytesIO()
    figure.savefig(plain, format="png", dpi=dpi, metadata={"Software": None})
    plain.seek(0)
    small = io.BytesIO()
    with Image.open(plain) as image:
        image.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(
            small, format="PNG", optimize=True
        )
    return small.getvalue()


def write(axes: Axes, x: float, y: float, text: str, **style: Any) -> Text:
    """Write text on axes as it stands: no TeX, no ``$`` maths, glyphs that exist only.

    Args:
        axes: Where.
        x: In data coordinates, unless ``transform`` says otherwise.
        y: Likewise.
        text: Anything; characters that no installed font has become "▯".
        **style: ``size`` (points), ``color``, ``weight``, ``ha``, ``va``, ``gid``, ...
    """
    font = font_of(style.pop("size", TEXT_PT), style.pop("weight", "normal"))
    style.setdefault("color", INK)
    return axes.text(
        x, y, drawable(text), fontproperties=font, parse_math=False, usetex=False, **style
    )


@lru_cache(maxsize=32)
def font_of(size: float, weight: str = "normal") -> FontProperties:
    """Return the font: DejaVu Sans and whatever is installed for other scripts."""
    return FontProperties(family=list(_families()), size=size, weight=weight)


@lru_cache(maxsize=1)
def _families() -> tuple[str, ...]:
    installed = {font.name for font in font_manager.fontManager.ttflist}
    return ("DejaVu Sans", *(name for name in _MORE_FONTS if name in installed))


@lru_cache(maxsize=4096)
def drawable(text: str) -> str:
    """Return the text with one line and with "▯" for each character that no font has."""
    return "".join(
        c if " " <= c <= "~" or (c > "~" and _has_glyph(c)) else "▯" for c in " ".join(text.split())
    )


@lru_cache(maxsize=4096)
def _has_glyph(char: str) -> bool:
    fonts = (
        font_manager.get_font(font_manager.findfont(FontProperties(family=[family])))
        for family in _families()
    )
    return any(font.get_char_index(ord(char)) for font in fonts)


@lru_cache(maxsize=8192)
def width_of(text: str, size: float = TEXT_PT, weight: str = "normal") -> float:
    """Return the text's width in pixels at 100 dpi."""
    from matplotlib.textpath import text_to_path

    font = font_of(size, weight)
    width, _, _ = text_to_path.get_text_width_height_descent(drawable(text), font, ismath=False)
    return width * DPI / 72


def bare(axes: Axes, start: float, end: float) -> None:
    """Strip axes of frame and ticks and set their time range, in seconds."""
    axes.set_facecolor("none")
    axes.set_xlim(start, end)
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)


def is_light(color: str) -> bool:
    """Return whether dark text reads better on the colour ("#rrggbb") than white text."""
    red, green, blue = (int(color[i : i + 2], 16) for i in (1, 3, 5))
    return 0.299 * red + 0.587 * green + 0.114 * blue > 140


def draw_key(
    axes: Axes, x: float, y: float, items: list[tuple[str, str]], per_unit: float
) -> float:
    """Draw a legend in one line: a square and a name for each ``(color, name)``.

    Args:
        axes: Axes whose y is pixels from the top.
        x: Where it begins, in data coordinates.
        y: Its middle, in pixels.
        items: Colours and names, in order.
        per_unit: Pixels in one unit of x.

    Returns:
        Where the next one may begin, in data coordinates.
    """
    from matplotlib.patches import Rectangle

    for color, name in items:
        axes.add_artist(
            Rectangle(
                (x, y - 5),
                10 / per_unit,
                10,
                facecolor=color,
                linewidth=0,
                clip_on=False,
                gid="key",
            )
        )
        write(axes, x + 14 / per_unit, y, name, va="center_baseline", gid="key-name")
        x += (14 + width_of(name) + 18) / per_unit
    return x


def draw_signs(
    axes: Axes, x: float, y: float, items: list[tuple[str, str, str]], per_unit: float
) -> None:
    """Draw a legend of ``(sign, color, name)`` in one line; as :func:`draw_key` otherwise."""
    for sign, color, name in items:
        write(axes, x, y, sign, color=color, va="center_baseline", size=9, gid="key")
        x += (width_of(sign, 9) + 5) / per_unit
        write(axes, x, y, name, va="center_baseline", gid="key-name")
        x += (width_of(name) + 18) / per_unit
