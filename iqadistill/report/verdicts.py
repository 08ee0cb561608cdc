"""The verdicts of a study's primary comparisons as sentences, and as the objects of summary.json."""

from typing import Any

import numpy as np
import pandas as pd

from iqadistill.figures.drawing.style import METRIC_LABELS, p_text, selector_styles
from iqadistill.figures.drawing.variants import ALL, RANDOM

_WORDS = {"better": "better than", "worse": "worse than", "equivalent": "equivalent to"}
_CONTEXT = ("student", "sampler", "encoder")


def verdict_sentence(row: pd.Series) -> str:
    """What a primary comparison decided, in one to three sentences.

    Args:
        row: Row of table "verdicts".
    """
    first, second = _side(row, ""), _side(row, "other_")
    metric, where = METRIC_LABELS[row.metric], f"{row.dataset}{_context(row)}"
    if row.verdict == "undefined":
        return f"{where}: {first} against {second} is undefined: {row.reason}."
    numbers = f"{metric} {row.difference:+z.3f} [{row.low:.3f}, {row.high:.3f}]"
    detectable = f"smallest detectable {row.smallest_detectable:.3f}"
    if row.verdict == "undecided":
        words = (
            f"{first} against {second} is undecided: the difference in {metric} ({row.difference:+z.3f}) could be"
            f" {row.low:+z.3f} to {row.high:+z.3f}; {detectable}, margin {row.margin:g}."
        )
    elif row.verdict == "equivalent":
        words = f"{first} is equivalent to {second} within {row.margin:g}: {numbers}; {detectable}."
    else:
        words = (
            f"{first} is {_WORDS[row.verdict]} {second}: {numbers}, adjusted {p_text(row.p_adjusted)}; {detectable}."
        )
    return f"{where}: {words}{_among_random(row)}"


def _among_random(row: pd.Series) -> str:
    if not row.draws:
        return ""
    place = f" It is above {row.below} of {row.draws} random rankings on these images and contents"
    decides = " (p is its place among them)" if row.verdict in ("better", "worse") else ""
    if row.test == "random_rankings_t":
        decides = (
            f", too few for a place among them to show a difference: the test is a t with {row.draws - 1} degrees of"
            f" freedom against their deviation ({row.deviation:.3f}), assumed to be normal, not shown to be"
        )
    return f"{place}{decides}; the interval also covers other contents and trainings."


def verdict_objects(verdicts: pd.DataFrame) -> list[dict[str, Any]]:
    """The verdicts as JSON can hold them; what is not known is null.

    Args:
        verdicts: Table "verdicts".
    """
    objects = []
    for _, row in verdicts.iterrows():
        values = {name: plain(value) for name, value in row.items()}
        objects.append({**values, "sentence": verdict_sentence(row)})
    return objects


def plain(value: Any) -> Any:
    """A value as JSON can hold it; null for a number that is not finite."""
    if value is None or (isinstance(value, float | np.floating) and not np.isfinite(value)):
        return None
    return value.item() if isinstance(value, np.generic) else value


def _side(row: pd.Series, prefix: str) -> str:
    """Name of a variant by what it differs in from the other."""
    name = row[f"{prefix}{row.axis}"]
    if row.axis != "selector":
        return name
    if name == ALL:
        return "all patches"
    if name == RANDOM and row.draws:
        return f"random selection (the mean over {row.draws} random rankings)"
    return f"{selector_styles([name])[name].label} at keep {row[f'{prefix}keep']:g}"


def _context(row: pd.Series) -> str:
    """What both variants have in common, in brackets."""
    named = [row[name] for name in _CONTEXT if name != row.axis and row[name]]
    if row.axis != "selector" and row.keep < 1:
        named.append(f"{row.selector} at keep {row.keep:g}")
    return f" ({', '.join(named)})" if named else ""
