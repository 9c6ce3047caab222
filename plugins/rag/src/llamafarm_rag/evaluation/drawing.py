"""The parts of a picture. Source of the format: W3C, "Scalable Vector Graphics 1.1"."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from xml.sax.saxutils import escape

FONT = 13
"""The size of letters, in pixels."""
LETTER = 0.6
"""The width of a letter, as a part of its height."""
MOST_LETTERS = 28
PALETTE = ("#1f4e79", "#c55a11", "#548235", "#7030a0", "#bf9000", "#008080", "#a61c3c", "#595959")


def document(width: float, height: float, parts: Iterable[str]) -> str:
    """A picture on white ground."""
    size = f'width="{width:g}" height="{height:g}" viewBox="0 0 {width:g} {height:g}"'
    look = f'font-family="sans-serif" font-size="{FONT}"'
    ground = f'<rect width="{width:g}" height="{height:g}" fill="#fff"/>'
    return "\n".join([f'<svg xmlns="http://www.w3.org/2000/svg" {size} {look}>', ground, *parts, "</svg>\n"])


def text(x: float, y: float, words: str, look: str = "") -> str:
    """Words on one line, `y` at their foot."""
    return f'<text x="{x:g}" y="{y:g}" {look}>{escape(printable(words))}</text>'


def line(x1: float, y1: float, x2: float, y2: float, look: str) -> str:
    """A straight line."""
    return f'<line x1="{x1:g}" y1="{y1:g}" x2="{x2:g}" y2="{y2:g}" {look}/>'


def box(x: float, y: float, width: float, height: float, look: str, told: str = "") -> str:
    """A filled rectangle. told: what a browser shows of it under the pointer."""
    title = f"<title>{escape(printable(told))}</title>" if told else ""
    return f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" {look}>{title}</rect>'


def path(points: Sequence[tuple[float, float]], look: str) -> str:
    """Points joined by lines."""
    joined = " ".join(f"{x:g},{y:g}" for x, y in points)
    return f'<polyline points="{joined}" fill="none" {look}/>'


def dot(x: float, y: float, look: str, told: str) -> str:
    """A point that tells what it stands for."""
    return f'<circle cx="{x:g}" cy="{y:g}" r="4" {look}><title>{escape(printable(told))}</title></circle>'


def width_of(words: Iterable[str]) -> float:
    """How wide the longest of these is, about."""
    return max(map(len, words), default=0) * FONT * LETTER


def printable(words: str) -> str:
    """On one line, and without characters that XML does not have."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in words).split())


def cut(words: str) -> str:
    """As much as there is room for."""
    return words if len(words) <= MOST_LETTERS else f"{words[: MOST_LETTERS - 1]}…"
