"""Rows of table "verdicts"."""


def verdict(**changed):
    """An undecided comparison of residual selection with random rankings, changed as given."""
    side = {"sampler": "lat", "encoder": "lite0", "selector": "residual", "keep": 0.2, "student": "mlp"}
    other = {f"other_{name}": value for name, value in {**side, "selector": "random"}.items()}
    numbers = {"difference": 0.002, "low": -0.011, "high": 0.015, "margin": 0.01, "smallest_detectable": 0.013}
    row = {"dataset": "gallery360", **side, **other, "axis": "selector", "metric": "srcc", "verdict": "undecided"}
    row |= {**numbers, "p": 0.4, "p_adjusted": 0.4, "p_equivalence": 0.2, "test": "random_rankings", "splits": 10}
    return row | {"draws": 99, "below": 61, "deviation": 0.004, "p_normal": None, "reason": ""} | changed
