"""Chart of the training time against rows, columns and steps, both axes logarithmic, as SVG."""

from __future__ import annotations

from math import log10

from results import Report

WIDTH, HEIGHT, EDGE = 720, 400, 60
COLORS = ("#3465a4", "#c4562f", "#4e8f3a")
LEAST_SECONDS = 1e-3
"""Shown where noise leaves less when the fixed part is subtracted."""


def growth_picture(report: Report) -> str:
    """Every axis of growth.py as a line: how many times its first point, and the seconds without the fixed part."""
    lines: dict[str, list[tuple[float, float]]] = {}
    for title, amount, _, seconds in report.rows:
        lines.setdefault(str(title), []).append((float(amount or 0.0), float(seconds or 0.0)))
    curves = {}
    for title, (least, *points) in lines.items():
        first = points[0][0] - least[0]
        curves[title] = [((amount - least[0]) / first, max(seconds, LEAST_SECONDS)) for amount, seconds in points]
    spots = [spot for curve in curves.values() for spot in curve]
    right = max(x for x, _ in spots) * 1.2
    bottom, top = min(y for _, y in spots) / 1.5, max(y for _, y in spots) * 1.5

    def at(x: float, y: float) -> tuple[float, float]:
        across = log10(x / 0.9) / log10(right / 0.9)
        up = log10(y / bottom) / log10(top / bottom)
        return EDGE + across * (WIDTH - 2 * EDGE), HEIGHT - EDGE - up * (HEIGHT - 2 * EDGE)

    box = f'viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="13"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {box}>',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        f'<text x="{EDGE}" y="24">Seconds without the fixed part, against how many times the first point</text>',
    ]
    x = 1.0
    while x <= right:
        across = at(x, bottom)[0]
        parts.append(f'<path d="M{across:.1f} {EDGE}V{HEIGHT - EDGE}" stroke="#ddd"/>')
        parts.append(f'<text x="{across:.1f}" y="{HEIGHT - EDGE + 20}" text-anchor="middle">{x:.0f} ×</text>')
        x *= 2.0
    for power in range(-3, 4):
        if bottom <= 10.0**power <= top:
            height = at(1.0, 10.0**power)[1]
            parts.append(f'<path d="M{EDGE} {height:.1f}H{WIDTH - EDGE}" stroke="#ddd"/>')
            parts.append(f'<text x="{EDGE - 8}" y="{height + 4:.1f}" text-anchor="end">{10.0**power:g} s</text>')
    for n, (title, curve) in enumerate(curves.items()):
        places = [at(*spot) for spot in curve]
        path = "L".join(f"{across:.1f} {height:.1f}" for across, height in places)
        parts.append(f'<path d="M{path}" fill="none" stroke="{COLORS[n]}" stroke-width="2"/>')
        parts += [f'<circle cx="{a:.1f}" cy="{h:.1f}" r="3.5" fill="{COLORS[n]}"/>' for a, h in places]
        parts.append(f'<text x="{EDGE + 16}" y="{EDGE + 16 + 20 * n}" fill="{COLORS[n]}">{title}</text>')
    return "\n".join([*parts, "</svg>\n"])
