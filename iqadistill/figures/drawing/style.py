"""The look all figures share: type, palette, names of selectors and metrics."""

import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from iqadistill.selection.registry import SELECTORS

STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 8.5,
    "axes.titlesize": 9,
    "axes.labelsize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.7,
    "axes.edgecolor": "#444444",
    "axes.axisbelow": True,
    "axes.grid": False,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.6,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "xtick.color": "#333333",
    "ytick.color": "#333333",
    "legend.fontsize": 8.5,
    "legend.frameon": False,
    "lines.linewidth": 1.5,
    "lines.markersize": 4.5,
    "savefig.dpi": 200,
    "savefig.facecolor": "white",
    "svg.fonttype": "path",
    "svg.hashsalt": "iqadistill",  # element ids, and so the file, stay the same from run to run
}

METRIC_LABELS = {"srcc": "SRCC", "plcc": "PLCC", "plcc_raw": "PLCC (raw)", "krcc": "KRCC", "rmse": "RMSE"}

GREY = "#8a8a8a"
BAND = "#d4d4d4"
INK = "#222222"
CEILING = "#7a5195"

# The looks of registered selectors follow Okabe and Ito's palette, which is told apart in the common colour deficiencies; markers
# tell apart in print.
CONTROLS = {"all": ("all patches", INK, "h")}
_SPARE = ["#e69f00", "#b2df8a", "#6a3d9a", "#b15928", "#1b9e9e", "#999933", "#882255", "#44aa99"]
_SPARE_MARKERS = ["P", "X", ">", "p", "8", "d", "*", "H"]


def styled(plot: Callable[..., Any]) -> Callable[..., Any]:
    """Run a plot function under the shared style, leaving matplotlib's global settings alone."""

    @functools.wraps(plot)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        with matplotlib.rc_context(STYLE):
            return plot(*args, **kwargs)

    return wrapper


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of that many inches, off screen, laid out so that nothing overlaps."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    figure.get_layout_engine().set(w_pad=0.06, h_pad=0.06, wspace=0.03, hspace=0.03)
    return figure


def panel_grid(count: int, width: float, height: float) -> tuple[Figure, list[Axes]]:
    """A figure of `count` panels of that many inches, at most three beside each other."""
    columns = min(3, count)
    rows = -(-count // columns)
    figure = new_figure(max(5.0, 0.6 + width * columns), 0.6 + height * rows)
    axes = list(figure.subplots(rows, columns, squeeze=False).flat)
    for unused in axes[count:]:
        unused.remove()
    return figure, axes[:count]


@functools.cache
def _registered_looks() -> dict[str, tuple[str, str, str]]:
    """Label, colour and marker of every registered selector and of all patches, in the order of legends."""
    settings = sorted(SELECTORS.values(), key=lambda entry: entry.order)
    looks = {entry.model_fields["method"].default: (entry.label, entry.colour, entry.marker) for entry in settings}
    return looks | CONTROLS


def selector_styles(selectors: Iterable[str]) -> dict[str, tuple[str, str, str]]:
    """Label, colour and marker of each selector; one that is named after its method looks the same in every figure."""
    looks = _registered_looks()
    names = sorted(set(selectors), key=lambda name: (list(looks).index(name) if name in looks else len(looks), name))
    taken = {looks[name][1] for name in names if name in looks}
    spare = [(color, marker) for color, marker in zip(_SPARE, _SPARE_MARKERS, strict=True) if color not in taken]
    others = [name for name in names if name not in looks]
    styles = {name: looks[name] for name in names if name in looks}
    for position, name in enumerate(others):
        styles[name] = (name.replace("_", " "), *spare[position % len(spare)])
    return {name: styles[name] for name in names}


def panel_title(panel: tuple[str, str, str], notes: Mapping[str, str]) -> str:
    """Two lines: the dataset with its note, then sampler and encoder."""
    dataset, sampler, encoder = panel
    return f"{titled(dataset, notes)}\nsampler {sampler}, encoder {encoder}"


def titled(dataset: str, notes: Mapping[str, str]) -> str:
    """A dataset's name, followed by its note in brackets where it has one."""
    return f"{dataset} ({notes[dataset]})" if notes.get(dataset) else dataset


def dataset_note(metadata: Mapping[str, str]) -> str:
    """What must be said beside every number of a dataset, from its images table's metadata."""
    return "simulated scores" if metadata.get("scores", "").startswith("simulated") else ""


def draw_ceiling(axes: Axes, value: float) -> None:
    """Dotted line at the SRCC that noise in the scores allows."""
    axes.axhline(value, color=CEILING, linestyle=":", linewidth=1.4, label="noise ceiling", zorder=1)


def shared_legend(figure: Figure, columns: int = 4) -> None:
    """One legend below the panels, each label once, in as many columns as the figure is wide for."""
    found: dict[str, Any] = {}
    for axes in figure.axes:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            found.setdefault(label, handle)
    columns = max(1, min(columns, len(found), int(figure.get_figwidth() / 2.0)))
    figure.legend(list(found.values()), list(found), loc="outside lower center", ncols=columns, handlelength=2.2)


def p_text(p: float) -> str:
    """A p value as it is printed."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}" if p < 0.1 else f"p = {p:.2f}"
