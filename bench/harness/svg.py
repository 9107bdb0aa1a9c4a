"""A small SVG writer: shapes, text, and the colours of both themes."""

from html import escape

STYLE = """
text { font: 13px system-ui, "Noto Sans", "DejaVu Sans", sans-serif; fill: #1f2933; }
.title { font-size: 20px; font-weight: 600; }
.head { font-size: 14px; font-weight: 600; }
.small { font-size: 11.5px; fill: #616e7c; }
.paper { fill: #ffffff; }
.track { fill: #eef1f4; }
.met { fill: #2f8f83; }
.missed { fill: #d9822b; }
.target { stroke: #1f2933; stroke-width: 2; }
.aim { stroke: #9aa5b1; stroke-width: 2; stroke-dasharray: 2 2; }
.grid { stroke: #d8dee5; stroke-width: 1; }
.line0 { stroke: #2f8f83; } .dot0 { fill: #2f8f83; }
.line1 { stroke: #3b6fb6; } .dot1 { fill: #3b6fb6; }
.line2 { stroke: #b0488a; } .dot2 { fill: #b0488a; }
polyline { fill: none; stroke-width: 2.5; stroke-linejoin: round; }
@media (prefers-color-scheme: dark) {
  text { fill: #e4e7eb; }
  .small { fill: #9aa5b1; }
  .paper { fill: #16191d; }
  .track { fill: #262b31; }
  .target { stroke: #e4e7eb; }
  .grid { stroke: #323a42; }
}
"""


def drawing(width: int, height: int, parts: list[str]) -> str:
    """Return a complete file."""
    start = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
    size = f'width="{width}" height="{height}" role="img">'
    return "\n".join([start + size, f"<style>{STYLE}</style>", *parts, "</svg>", ""])


def rect(x: float, y: float, width: float, height: float, kind: str, radius: float = 3) -> str:
    """Return a rectangle with round corners."""
    place = f'x="{x:g}" y="{y:g}" width="{max(0.0, width):.1f}" height="{height:g}"'
    return f'<rect class="{kind}" {place} rx="{radius:g}"/>'


def line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    """Return a straight line."""
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def curve(points: list[tuple[float, float]], number: int) -> str:
    """Return a polyline in one of three colours."""
    given = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    dots = "".join(
        f'<circle class="dot{number}" cx="{x:.1f}" cy="{y:.1f}" r="4"/>' for x, y in points
    )
    return f'<polyline class="line{number}" points="{given}"/>{dots}'


def words(x: float, y: float, said: str, kind: str = "", anchor: str = "start") -> str:
    """Return a line of text."""
    place = f'class="{kind}" x="{x:g}" y="{y:g}" text-anchor="{anchor}"'
    return f"<text {place}>{escape(said)}</text>"
