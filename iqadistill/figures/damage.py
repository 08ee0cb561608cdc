"""How well damaged patches are told from others, where images are damaged in one region."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from iqadistill.datasets.regions import REGION_KINDS, Region
from iqadistill.evaluation.damage import DAMAGED, auc
from iqadistill.figures.drawing.dots import dot
from iqadistill.figures.drawing.heat import draw_heat
from iqadistill.figures.drawing.style import (
    GREY,
    INK,
    new_figure,
    panel_title,
    selector_styles,
    shared_legend,
    styled,
)
from iqadistill.figures.drawing.variants import ALL, in_panel, panels
from iqadistill.figures.inputs import DamageInputs
from iqadistill.figures.registry import FigureSpec
from iqadistill.images.decoding import read_image

FIGURE = FigureSpec(
    title="Where the damage is",
    caption=(
        "AUC of damaged patches against others within an image, mean over images that have both: the probability that "
        "a damaged patch is scored lower by a student on all patches (test images), or is kept earlier by a selector, "
        "than another patch. A patch is damaged where more than half of it is. Bars: 95 % intervals over contents; "
        "small grey markers: images with damage of one kind of region; dashed line: chance. Right: an image whose AUC "
        "is nearest to the mean, with the patch scores of the first student and the border of the damaged region."
    ),
    alt=(
        "Dot chart of the AUC of students' patch scores and of each selector's ranking, with the line of chance, "
        "beside an image with its damaged region and patch scores."
    ),
    reads="damage",
    rates="none",
    students="embeddings",
)

KIND_MARKERS = dict(zip(REGION_KINDS, ("D", "s", "^"), strict=True))
BORDER = "#ff2d55"


@dataclass(frozen=True)
class Example:
    """An image to show the patch scores of a student on.

    Attributes:
        name: Its image_id.
        image: The image (H, W, 3), uint8.
        region: Its damaged region.
        patches: Its rows of table "patches" with the column `quality`, the patch scores.
        student: Name of the student.
        auc: AUC of these scores.
    """

    name: str
    image: np.ndarray
    region: Region
    patches: pd.DataFrame
    student: str
    auc: float


def draw(inputs: DamageInputs) -> tuple[Figure, pd.DataFrame]:
    """Draw the figure of an experiment."""
    examples = {panel: example for panel in panels(inputs.damage) if (example := _example(inputs, panel))}
    return plot_damage(inputs.damage, examples, inputs.notes)


def _example(inputs: DamageInputs, panel: tuple[str, str, str]) -> Example | None:
    """An image of a panel on which its first student does as well as on the mean image; None without students."""
    rows = in_panel(inputs.damaged_patches, panel)
    rows = rows[rows.student == inputs.experiment.students[0]].dropna(subset="score")
    of_image = {
        name: auc(-one.score.to_numpy(), one.damaged.to_numpy() > DAMAGED) for name, one in rows.groupby("image_id")
    }
    areas = pd.Series(of_image, dtype=float).dropna()
    if areas.empty:
        return None
    name = (areas - areas.mean()).abs().idxmin()
    images, patches = inputs.tables[panel]
    (image,) = images[images.image_id == name].itertuples()
    scores = rows[rows.image_id == name].rename(columns={"score": "quality"})
    placed = patches.merge(scores[["patch_id", "quality"]], on="patch_id")
    region = Region.parse(image.region, f"images: {name}")
    return Example(name, read_image(image.path), region, placed, scores.student.iloc[0], areas[name])


@styled
def plot_damage(
    damage: pd.DataFrame, examples: Mapping[tuple[str, str, str], Example], notes: Mapping[str, str] | None = None
) -> tuple[Figure, pd.DataFrame]:
    """Draw the AUC of every student and selector: one row for each dataset, sampler and encoder.

    Args:
        damage: Table "damage".
        examples: Image beside a panel, by dataset, sampler and encoder.
        notes: Note of a dataset by its name.

    Returns:
        The figure, and the table "damage".
    """
    shown = panels(damage)
    overall = damage[damage.region.isna() & damage.level.isna()]
    styles = selector_styles(set(damage.selector) - {ALL})
    heights = [0.9 + 0.25 * len(in_panel(overall, panel)) for panel in shown]
    figure = new_figure(9.6, 0.5 + sum(max(2.4, height) for height in heights))
    grid = figure.subplots(len(shown), 2, squeeze=False, width_ratios=[1, 1.1])
    for (axes, beside), panel in zip(grid, shown, strict=True):
        rows = in_panel(overall, panel)
        order = [ALL, *styles]
        rows = rows.sort_values("selector", key=lambda names: names.map(order.index), kind="stable")
        axes.axvline(0.5, color=GREY, linestyle=(0, (5, 3)), linewidth=1.1, label="chance", zorder=0)
        for place, (_, row) in enumerate(rows.iterrows()):
            color, marker = (INK, "h") if row.selector == ALL else styles[row.selector][1:]
            _draw_kinds(axes, place, in_panel(damage, panel, selector=row.selector, student=row.student))
            dot(axes, place, row, color, marker, upright=False, level="auc")
        ticks = [
            f"patch scores of {row.student}" if row.selector == ALL else styles[row.selector].label
            for row in rows.itertuples()
        ]
        axes.set_yticks(range(len(ticks)), ticks)
        axes.set_ylim(len(ticks) - 0.4, -0.6)
        axes.grid(axis="x")
        axes.tick_params(axis="y", length=0)
        axes.set_xlabel(f"AUC of damaged patches ({rows.images.min()} images)")
        axes.set_title(panel_title(panel, notes or {}))
        if panel in examples:
            _draw_example(figure, beside, examples[panel])
        else:
            beside.remove()
    shared_legend(figure)
    return figure, damage


def _draw_kinds(axes: Axes, place: float, rows: pd.DataFrame) -> None:
    """Draw the AUC on images with each kind of region, small and grey."""
    for kind, marker in KIND_MARKERS.items():
        for value in rows[rows.region == kind].auc.dropna():
            axes.plot(
                value,
                place,
                marker,
                color=GREY,
                markerfacecolor="white",
                markersize=4,
                label=f"damaged {kind}",
                zorder=1,
            )


def _draw_example(figure: Figure, axes: Axes, example: Example) -> None:
    colors = draw_heat(axes, example.image, example.patches)
    height, width = example.image.shape[:2]
    mask = np.pad(example.region.mask(height, width), 1).astype(float)
    x, y = np.arange(-1, width + 1) + 0.5, np.arange(-1, height + 1) + 0.5
    axes.contour(x, y, mask, levels=[0.5], colors=BORDER, linewidths=1.6)
    axes.set(xlim=(0, width), ylim=(height, 0))
    axes.set_title(f"{example.name}: AUC {example.auc:.2f}", fontsize=8)
    label = f"patch scores of {example.student}"
    figure.colorbar(colors, ax=axes, label=label, fraction=0.04, pad=0.02).outline.set_visible(False)
