"""Draw seconds and duality gap of the solvers against the number of patches, the width and h, from one run's table.

python benchmarks/figure_selection.py selection_scaling.csv solvers.svg
"""

import argparse
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import pandas as pd

AXES = {"n": "patches n", "d": "width d", "h": "components h"}
COLOURS = ["#4C4C4C", "#E69F00", "#0072B2", "#009E73", "#CC79A7", "#D55E00"]
MARKERS = "sD^ovP"


def draw(table: pd.DataFrame, path: Path) -> None:
    """Two rows of panels, seconds above gaps, one column an axis that was measured."""
    axes = [axis for axis in AXES if axis in set(table["axis"])]
    figure, panels = plt.subplots(
        2, len(axes), figsize=(3.3 * len(axes), 5.2), sharex="col", sharey="row", squeeze=False
    )
    names = list(dict.fromkeys(table["method"]))
    for column, axis in enumerate(axes):
        for name, colour, marker in zip(names, COLOURS, MARKERS, strict=False):
            rows = table[(table["axis"] == axis) & (table["method"] == name)].sort_values(axis)
            for panel, value in zip(panels[:, column], ("seconds", "gap"), strict=True):
                shown = rows.dropna(subset=[value])
                panel.loglog(shown[axis], shown[value], color=colour, marker=marker, markersize=4, lw=1.3, label=name)
        values = sorted(table.loc[table["axis"] == axis, axis].unique())
        panels[1, column].set_xticks(values, [str(value) for value in values])
        panels[1, column].set_xlabel(AXES[axis])
        panels[1, column].axhline(1e-3, color="#BBBBBB", lw=0.8, zorder=0)
        for panel in panels[:, column]:
            panel.minorticks_off()
            panel.spines[["top", "right"]].set_visible(False)
    panels[0, 0].set_ylabel("seconds an image")
    panels[1, 0].set_ylabel("relative duality gap")
    handles, labels = panels[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="upper center", ncols=3, frameon=False, fontsize=8)
    figure.tight_layout(rect=(0, 0, 1, 0.92))
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)


def main() -> None:
    """Draw the figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path, help="selection_scaling.csv")
    parser.add_argument("figure", type=Path, help="file to write; its ending says the format")
    options = parser.parse_args()
    mpl.rcParams.update({"svg.hashsalt": "solvers", "font.size": 9})
    draw(pd.read_csv(options.table), options.figure)


if __name__ == "__main__":
    main()
