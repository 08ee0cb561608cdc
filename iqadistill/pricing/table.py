"""Prices as text: the table of one study by stage, and the Markdown table of several."""

from collections.abc import Iterable

from iqadistill.pricing.price import Price, Stage

COLUMNS = ("stage", "jobs", "trainings", "passes", "with gradient", "TFLOP", "download", "disk", "memory", "hours")
MARKDOWN = ("study", "jobs", "trainings", "operations", "hours on a card", "download", "disk", "memory")


def price_text(price: Price) -> str:
    """A study's price by stage, its sums, and what they rest on."""
    rows = [list(COLUMNS), *(_cells(stage) for stage in (*price.stages, price.total))]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(
            [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        )
        for row in rows
    ]
    machine = f"{price.cores} core{'s' * (price.cores > 1)}"
    machine += f" and {price.cards} card{'s' * (price.cards > 1)}" if price.cards else ""
    one = "one core and one card" if price.cards else "one core"
    lines += [
        "",
        f"{price.study}: {_hours(price.total.seconds)} of {one}, {_hours(price.wall_seconds)} from start to end with"
        f" {machine}; the longest job takes {_hours(price.total.largest)}.",
        *(
            f"A job of {stage.name} writes up to {_bytes(stage.temporary)} to a temporary file, in the folder that"
            " TMPDIR names."
            for stage in price.stages
            if stage.temporary
        ),
        f"Rates: {price.rates.source}.",
        *(f"Left out: {note}" for note in price.missing),
    ]
    return "\n".join(line.rstrip() for line in lines)


def price_markdown(prices: Iterable[tuple[str, Price]]) -> str:
    """A Markdown table of several prices, each with the name of its row."""
    lines = [f"| {' | '.join(MARKDOWN)} |", f"|---{'|---:' * (len(MARKDOWN) - 1)}|"]
    for name, price in prices:
        total = price.total
        costs = [
            _operations(total.flops),
            _number(price.wall_seconds / 3600) if price.wall_seconds >= 180 else "< 0.1",
            *map(_bytes, (total.download, total.disk)),
        ]
        if price.missing:
            costs = ["depends on your images"] + [""] * 3
        cells = [
            name,
            f"{total.jobs:,}",
            f"{total.trainings:,}",
            *costs,
            _bytes(total.memory) if not price.missing else "",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _cells(stage: Stage) -> list[str]:
    return [
        stage.name,
        f"{stage.jobs:,}" if stage.jobs else "",
        f"{stage.trainings:,}" if stage.trainings else "",
        _count(stage.forward_passes),
        _count(stage.training_passes),
        f"{stage.flops / 1e12:,.1f}" if stage.flops else "",
        _bytes(stage.download),
        _bytes(stage.disk),
        _bytes(stage.memory),
        f"{stage.seconds / 3600:,.2f}",
    ]


def _count(number: float) -> str:
    if not number:
        return ""
    return f"{number / 1e6:,.2f} M" if number >= 1e6 else f"{number:,.0f}"


def _operations(number: float) -> str:
    return f"{_number(number / 1e15)} PFLOP" if number >= 1e15 else f"{_number(number / 1e12)} TFLOP"


def _bytes(number: float) -> str:
    if not number:
        return ""
    return f"{number / 1e9:,.1f} GB" if number >= 1e8 else f"{number / 1e6:,.1f} MB"


def _hours(seconds: float) -> str:
    return f"{_number(seconds / 3600)} hours" if seconds >= 3600 else f"{_number(seconds / 60)} minutes"


def _number(number: float) -> str:
    return f"{number:,.0f}" if number >= 100 else f"{number:.1f}"
