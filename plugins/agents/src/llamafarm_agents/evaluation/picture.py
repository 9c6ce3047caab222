"""A confusion matrix as a picture. Source of the format: W3C, "Scalable Vector Graphics 1.1"."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from xml.sax.saxutils import escape

from llamafarm_agents.evaluation.metrics import Metrics

CELL, FONT, GAP = 48, 13, 10
"""In pixels: the side of a cell, the size of letters, the space between matrix and labels."""
LETTER = 0.6
"""The width of a letter, as a part of its height."""
MOST_LETTERS = 24
DARK = (31, 78, 121)
HEAD = 64


def svg(metrics: Metrics, *, title: str) -> str:
    """A square for each pair of labels, the darker the more of its row's texts are in it."""
    names = [_cut(each.label) for each in metrics.labels]
    figures = f"{metrics.rows} rows, accuracy {metrics.accuracy:.3f}, macro-F1 {metrics.macro_f1:.3f}"
    left = _width(names) + 2 * GAP + FONT
    top, side = HEAD + left, CELL * len(names)
    width, height = max(left + side, _width([title, figures])) + 2 * GAP, top + side + GAP
    parts = [
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
        _text(GAP, 24, title, 'font-weight="bold"'),
        _text(GAP, 44, figures),
        *_labels(names, left, top),
        *_cells([each.label for each in metrics.labels], metrics.confusion, left, top),
    ]
    size = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    look = f'font-family="sans-serif" font-size="{FONT}"'
    return "\n".join([f'<svg xmlns="http://www.w3.org/2000/svg" {size} {look}>', *parts, "</svg>\n"])


def _labels(names: Sequence[str], left: int, top: int) -> Iterator[str]:
    """Those of the table beside the rows, those that were answered above the columns."""
    middle, edge = CELL * len(names) / 2, FONT + 4
    grey = 'fill="#666" text-anchor="middle"'
    yield _text(edge, top + middle, "table", f"{grey} {_upright(edge, top + middle)}")
    yield _text(left + middle, HEAD, "answer", grey)
    for at, name in enumerate(names):
        line = CELL * at + CELL / 2 + FONT / 3
        yield _text(left - GAP, top + line, name, 'text-anchor="end"')
        yield _text(left + line, top - GAP, name, _upright(left + line, top - GAP))


def _cells(names: Sequence[str], confusion: Sequence[Sequence[int]], left: int, top: int) -> Iterator[str]:
    for row, counts in enumerate(confusion):
        for column, count in enumerate(counts):
            share = count / sum(counts) if count else 0.0
            x, y = left + CELL * column, top + CELL * row
            told = escape(_printable(f"{names[row]} → {names[column]}: {count}"))
            yield (
                f'<rect x="{x}" y="{y}" width="{CELL}" height="{CELL}" fill="{_colour(share)}" stroke="#ccc">'
                f"<title>{told}</title></rect>"
            )
            if count:
                ink = "#fff" if share > 0.5 else "#000"
                yield _text(x + CELL / 2, y + CELL / 2 + FONT / 3, str(count), f'text-anchor="middle" fill="{ink}"')


def _colour(share: float) -> str:
    """From white to dark."""
    return "#" + "".join(f"{round(255 + (part - 255) * share):02x}" for part in DARK)


def _upright(x: float, y: float) -> str:
    return f'transform="rotate(-90 {x:g} {y:g})"'


def _width(texts: Sequence[str]) -> int:
    """How wide the longest of these is, about."""
    return round(max(map(len, texts), default=0) * FONT * LETTER)


def _text(x: float, y: float, text: str, look: str = "") -> str:
    return f'<text x="{x:g}" y="{y:g}" {look}>{escape(_printable(text))}</text>'


def _printable(text: str) -> str:
    """On one line, and without characters that XML does not have."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


def _cut(text: str) -> str:
    """As much as there is room for."""
    return text if len(text) <= MOST_LETTERS else f"{text[: MOST_LETTERS - 1]}…"
