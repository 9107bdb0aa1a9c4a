"""The plot of a run: bars with their targets, and growth curves."""

from collections.abc import Sequence

from bench.harness import svg
from bench.harness.report import Check, Growth, Report
from bench.harness.tables import seen, wanted

WIDTH = 920
EDGE = 28
LABELS = 330
BAR_END = WIDTH - 150
BAR_HEIGHT = 16
ROW_HEIGHT = 30
CHART_HEIGHT = 170
BUDGET = 1.5
"""The right end of a bar that must stay short, as a multiple of its target."""
MOST_GAIN = 1.2
"""The upper end of the growth charts: a rate as a multiple of that at the smallest size."""
COLOURS = 3


def plot(report: Report) -> str:
    """Return the plot as SVG."""
    parts = [
        svg.words(EDGE, 40, "Hupan beside the limits of the machine", "title"),
        svg.words(EDGE, 62, _where(report), "small"),
    ]
    y = 92.0
    shares = [one for one in report.checks if one.is_least and not one.unit]
    budgets = [one for one in report.checks if not one.is_least]
    for head, checks, most in (
        ("Rate as a part of the limit in the same run: longer is better", shares, 1.0),
        ("What must stay small, as a part of the target: shorter is better", budgets, BUDGET),
    ):
        if checks:
            y = _bars(parts, y, head, checks, most)
    y = _charts(parts, y, [one for part in report.parts.values() for one in part.growths])
    height = round(y)
    paper = svg.rect(0, 0, WIDTH, height, "paper", 10)
    return svg.drawing(WIDTH, height, [paper, *parts])


def _bars(parts: list[str], y: float, head: str, checks: Sequence[Check], most: float) -> float:
    """Draw bars one below the other; return the y of the next element."""
    parts.append(svg.words(EDGE, y, head, "head"))
    parts.append(svg.words(BAR_END, y, "| target   ¦ aim", "small", "end"))
    y += 14
    for check in checks:
        parts += _bar(y, check, most)
        y += ROW_HEIGHT
    return y + 34


def _bar(y: float, check: Check, most: float) -> list[str]:
    scale = 1.0 if check.is_least else check.target
    span = BAR_END - LABELS

    def x(value: float) -> float:
        return LABELS + span * min(1.0, max(0.0, value / scale / most))

    middle = y + BAR_HEIGHT / 2 + 5
    kind = "met" if check.is_met else "missed"
    marks = [svg.line(x(check.target), y - 3, x(check.target), y + BAR_HEIGHT + 3, "target")]
    if check.aim:
        marks.append(svg.line(x(check.aim), y - 3, x(check.aim), y + BAR_HEIGHT + 3, "aim"))
    return [
        svg.words(LABELS - 12, middle, check.name, anchor="end"),
        svg.rect(LABELS, y, span, BAR_HEIGHT, "track"),
        svg.rect(LABELS, y, x(check.seen) - LABELS, BAR_HEIGHT, kind),
        *marks,
        svg.words(BAR_END + 12, middle, seen(check)),
        svg.words(WIDTH - EDGE, middle, wanted(check), "small", "end"),
    ]


def _charts(parts: list[str], y: float, growths: Sequence[Growth]) -> float:
    """Draw one chart per axis, side by side; return the y of the end."""
    axes = list(dict.fromkeys(one.axis for one in growths))
    if not axes:
        return y
    parts.append(svg.words(EDGE, y, "Rate while something grows, 100 % at the least size", "head"))
    width = (WIDTH - 2 * EDGE) / len(axes)
    for place, axis in enumerate(axes):
        shown = [one for one in growths if one.axis == axis]
        parts += _chart(EDGE + place * width, y + 22, width - 24, axis, shown)
    rows = max(sum(one.axis == axis for one in growths) for axis in axes)
    return y + 22 + CHART_HEIGHT + 56 + 18 * rows


def _chart(
    left: float, top: float, width: float, axis: str, growths: Sequence[Growth]
) -> list[str]:
    start, bottom = left + 44, top + CHART_HEIGHT
    sizes = sorted({size for one in growths for size in one.per_second})
    step = (width - 72) / max(1, len(sizes) - 1)
    places = {size: start + 14 + step * number for number, size in enumerate(sizes)}

    def height(part: float) -> float:
        return bottom - CHART_HEIGHT * min(MOST_GAIN, part) / MOST_GAIN

    drawn = []
    for part in (0.0, 0.5, 1.0):
        drawn.append(svg.line(start, height(part), left + width, height(part), "grid"))
        drawn.append(svg.words(start - 8, height(part) + 4, f"{part:.0%}", "small", "end"))
    drawn += [
        svg.words(x, bottom + 18, f"{size:,}", "small", "middle") for size, x in places.items()
    ]
    drawn.append(svg.words(start + (width - 44) / 2, bottom + 36, axis, "small", "middle"))
    for number, one in enumerate(growths):
        least = one.per_second[min(one.per_second)] or 1.0
        points = [
            (places[size], height(one.per_second[size] / least)) for size in sorted(one.per_second)
        ]
        drawn.append(svg.curve(points, number % COLOURS))
        y = bottom + 58 + 18 * number
        drawn.append(svg.rect(start, y - 9, 14, 6, f"dot{number % COLOURS}"))
        drawn.append(
            svg.words(start + 22, y, f"{one.name}: {1 - one.loss:.0%} at the largest", "small")
        )
    return drawn


def _where(report: Report) -> str:
    made = report.machine
    return (
        f"{report.when} · {report.accounts:,} accounts · {made.cpu}, {made.cores} cores · "
        f"{report.rounds} rounds of {report.seconds:g} s in turn, medians · {report.generator}"
    )
