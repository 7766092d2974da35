"""The one table that tests/bench/run prints."""

import statistics
from dataclasses import dataclass


@dataclass
class Row:
    """One figure of ours, and the same of a peer in the same run."""

    what: str
    unit: str
    ours: list  # a value a round
    peer: str = ""
    peers: tuple = ()  # likewise
    ratios: tuple = ()  # ours / peer's a round; made from both where it is left out
    floor: float | None = None  # the lowest ratio that is good enough
    goal: float | None = None  # the ratio that is aimed at
    note: str = ""

    def __post_init__(self):
        if self.peers and not self.ratios:
            self.ratios = tuple(a / b for a, b in zip(self.ours, self.peers))

    @property
    def ratio(self):
        return statistics.median(self.ratios) if self.ratios else None

    @property
    def missed(self):
        """Whether the floor is out of reach by more than noise."""
        return self.floor is not None and self.ratio is not None and self.ratio < self.floor * NOISE


NOISE = 0.97  # of a floor or a goal


def number(value):
    """With three or four digits that count."""
    if value >= 1000:
        digits = max(len(str(int(value))) - 4, 0)
        return f"{round(value, -digits):,.0f}"
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def spread(values):
    """Median, and the noise around it."""
    if not values:
        return "–"
    middle = number(statistics.median(values))
    if len(values) == 1:
        return middle
    return f"{middle} ({number(min(values))}..{number(max(values))})"


def ratio_of(row):
    if row.ratio is None:
        return "–"
    text = f"{row.ratio:.2f}" if row.ratio < 10 else f"{row.ratio:.0f}"
    return f"{text} ({min(row.ratios):.2f}..{max(row.ratios):.2f})"


def floor_of(row):
    if row.floor is None:
        return "–"
    if row.ratio is None:
        return f"{row.floor:g} (no peer in this run)"
    return f"**{row.floor:g} MISSED**" if row.missed else f"{row.floor:g} met"


def goal_of(row):
    if row.goal is None:
        return "–"
    if row.ratio is None:
        return f"{row.goal:g}"
    return f"{row.goal:g} " + ("met" if row.ratio >= row.goal * NOISE else "not yet")


def markdown(rows):
    """The rows as a Markdown table."""
    heads = ["what", "unit", "Millrace", "peer", "peer's figure", "ratio", "floor", "goal"]
    lines = ["| " + " | ".join(heads) + " |", "| " + " | ".join(["---"] * len(heads)) + " |"]
    for row in rows:
        cells = [
            row.what + (f"; {row.note}" if row.note else ""),
            row.unit,
            spread(row.ours),
            row.peer or "–",
            spread(row.peers),
            ratio_of(row),
            floor_of(row),
            goal_of(row),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)
