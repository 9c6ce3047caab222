"""Recall and times as a picture: a line for each strategy, and below a bar for each of its stages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import cycle

from llamafarm_rag.evaluation.drawing import FONT, PALETTE, box, cut, document, dot, line, path, text, width_of
from llamafarm_rag.evaluation.measuring import TOTAL, StrategyFigures

GAP, HEAD, PLOT_WIDTH, PLOT_HEIGHT, ROW = 16, 64, 560, 260, 20
"""In pixels: between things, above the plot, the plot of recall, and the height of a line of text."""
STEPS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
GREY = 'fill="#555"'


def svg(strategies: Sequence[StrategyFigures], *, title: str) -> str:
    """Above recall@k, below how long each stage takes: a dark bar for the median, a light one up to p95."""
    colours = dict(zip((each.strategy for each in strategies), cycle(PALETTE)))
    bars = [(each, stage) for each in strategies for stage in _stages(each)]
    left = max(width_of(_label(*bar) for bar in bars), 40.0) + 2 * GAP
    legend = HEAD + PLOT_HEIGHT + 3 * GAP
    top = legend + ROW * len(strategies) + 3 * GAP
    questions = max((each.recall.questions for each in strategies), default=0)
    parts = [
        text(GAP, 26, title, 'font-weight="bold"'),
        text(GAP, 46, f"recall@k of {questions} questions that a file answers", GREY),
        *_axes(strategies, left),
        *(part for each in strategies for part in _curve(each, colours[each.strategy], left)),
        *_legend(strategies, colours, left, legend),
        text(GAP, top - GAP / 2, "milliseconds of a question: median, and p95 in a lighter colour", GREY),
        *_bars(bars, colours, left, top),
    ]
    return document(left + PLOT_WIDTH + 8 * GAP, top + ROW * len(bars) + GAP, parts)


def _axes(strategies: Sequence[StrategyFigures], left: float) -> Iterator[str]:
    for step in STEPS:
        y = _height(step)
        yield line(left, y, left + PLOT_WIDTH, y, 'stroke="#ddd"')
        yield text(left - GAP / 2, y + FONT / 3, f"{step:.1f}", f'text-anchor="end" {GREY}')
    for count, x in _columns(strategies[0] if strategies else None, left).items():
        yield text(x, HEAD + PLOT_HEIGHT + FONT + 4, f"k = {count}", f'text-anchor="middle" {GREY}')


def _curve(figures: StrategyFigures, colour: str, left: float) -> Iterator[str]:
    columns = _columns(figures, left)
    points = [(columns[count], _height(share)) for count, share in figures.recall.found.items()]
    yield path(points, f'stroke="{colour}" stroke-width="2"')
    for (x, y), (count, share) in zip(points, figures.recall.found.items(), strict=True):
        yield dot(x, y, f'fill="{colour}"', f"{figures.strategy}: recall@{count} {share:.3f}")


def _columns(figures: StrategyFigures | None, left: float) -> dict[int, float]:
    """Where each k stands: all as far from each other, for 1, 3, 5 and 10 matter alike."""
    counts = list(figures.recall.found) if figures else []
    wide = PLOT_WIDTH / max(len(counts), 1)
    return {count: left + wide * (number + 0.5) for number, count in enumerate(counts)}


def _height(share: float) -> float:
    return HEAD + PLOT_HEIGHT * (1 - share)


def _legend(strategies: Sequence[StrategyFigures], colours: dict[str, str], left: float, top: float) -> Iterator[str]:
    """The figures in words, for lines may lie on each other."""
    for number, each in enumerate(strategies):
        y = top + ROW * number
        shares = "  ".join(f"@{count} {share:.3f}" for count, share in each.recall.found.items())
        yield box(left, y - FONT + 2, FONT, FONT, f'fill="{colours[each.strategy]}"')
        yield text(left + FONT + GAP / 2, y, f"{cut(each.strategy)}:  {shares}  MRR {each.recall.mrr:.3f}")


def _bars(
    bars: Sequence[tuple[StrategyFigures, str]], colours: dict[str, str], left: float, top: float
) -> Iterator[str]:
    longest = max((figures.times[stage].p95 for figures, stage in bars), default=0.0) or 1.0
    for number, (figures, stage) in enumerate(bars):
        times, y = figures.times[stage], top + ROW * number
        colour, scale = colours[figures.strategy], PLOT_WIDTH / longest
        told = f"{_label(figures, stage)}: median {times.median:.1f} ms, p95 {times.p95:.1f} ms"
        weight = ' font-weight="bold"' if stage == TOTAL else ""
        yield text(left - GAP / 2, y + ROW - 6, _label(figures, stage), f'text-anchor="end"{weight}')
        yield box(left, y + 3, times.p95 * scale, ROW - 6, f'fill="{colour}" fill-opacity="0.35"', told)
        yield box(left, y + 3, times.median * scale, ROW - 6, f'fill="{colour}"', told)
        x = left + times.p95 * scale + GAP / 2
        yield text(x, y + ROW - 6, f"{times.median:.1f} / {times.p95:.1f}", GREY)


def _stages(figures: StrategyFigures) -> list[str]:
    """All of them together first."""
    return [TOTAL, *(stage for stage in figures.times if stage != TOTAL)]


def _label(figures: StrategyFigures, stage: str) -> str:
    return cut(figures.strategy) if stage == TOTAL else stage
