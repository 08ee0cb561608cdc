"""Style of all figures: fonts, colours, and the labels of selectors and metrics."""

import contextlib
import functools
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple, ParamSpec, TypeVar

import matplotlib
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import LogFormatterSciNotation
from matplotlib.typing import RcKeyType

from iqadistill.selection.registry import SELECTORS

P = ParamSpec("P")
R = TypeVar("R")

STYLE: dict[RcKeyType, Any] = {
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
    "text.parse_math": False,  # names of images and distortions hold any sign, and $ would begin a formula
    "lines.linewidth": 1.5,
    "lines.markersize": 4.5,
    "savefig.dpi": 200,
    "savefig.facecolor": "white",
    "svg.fonttype": "path",
    "svg.hashsalt": "iqadistill",  # makes the element ids, and so the file, the same from run to run
}

_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")

METRIC_LABELS = {"srcc": "SRCC", "plcc": "PLCC", "plcc_raw": "PLCC (raw)", "krcc": "KRCC", "rmse": "RMSE"}

GREY = "#8a8a8a"
BAND = "#d4d4d4"
INK = "#222222"
CEILING = "#7a5195"


class SelectorStyle(NamedTuple):
    """Label, colour and marker of a selector."""

    label: str
    color: str
    marker: str


# Registered selectors have the colours of Okabe and Ito's palette, which are distinguishable with the common colour
# vision deficiencies, and different markers for print in black and white.
CONTROLS = {
    "all": SelectorStyle("all patches", INK, "h"),
    "learned": SelectorStyle("learned importance", "#aa4499", "8"),
    "auto": SelectorStyle("as many as training images need", "#000000", "*"),
}
_SPARE_COLORS = ["#e69f00", "#b2df8a", "#6a3d9a", "#b15928", "#1b9e9e", "#999933", "#882255", "#44aa99"]
_SPARE_MARKERS = ["P", "X", ">", "p", "8", "d", "*", "H"]


@contextlib.contextmanager
def any_script() -> Iterator[None]:
    """Let names hold characters that the font lacks, which are drawn as boxes."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")
        yield


def styled(plot: Callable[P, R]) -> Callable[P, R]:
    """Make a plot function use the shared style; matplotlib's global settings stay unchanged."""

    @functools.wraps(plot)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        with matplotlib.rc_context(STYLE), any_script():
            return plot(*args, **kwargs)

    return wrapper


class PowerFormatter(LogFormatterSciNotation):
    """Labels of a logarithmic axis, such as 10⁻³, as plain text: figures read no formulas."""

    def __call__(self, x: float, pos: int | None = None) -> str:
        """Label of the tick at `x`."""
        formula = super().__call__(x, pos).removeprefix(r"$\mathdefault{").removesuffix("}$").replace(r"\times", "×")
        return re.sub(r"\^\{([-\d]+)\}", lambda power: power[1].translate(_SUPERSCRIPTS), formula)


def label_powers(axis: Axis) -> None:
    """Label a logarithmic axis as plain text."""
    axis.set_major_formatter(PowerFormatter())
    axis.set_minor_formatter(PowerFormatter(labelOnlyBase=False))


def new_figure(width: float, height: float) -> Figure:
    """An empty off-screen figure with constrained layout; width and height are in inches."""
    layout = ConstrainedLayoutEngine(w_pad=0.06, h_pad=0.06, wspace=0.03, hspace=0.03)
    figure = Figure(figsize=(width, height), layout=layout)
    FigureCanvasAgg(figure)
    return figure


def panel_grid(count: int, width: float, height: float) -> tuple[Figure, list[Axes]]:
    """A figure of `count` panels in up to three columns; width and height of a panel are in inches."""
    columns = min(3, count)
    rows = -(-count // columns)
    figure = new_figure(max(5.0, 0.6 + width * columns), 0.6 + height * rows)
    axes = list(figure.subplots(rows, columns, squeeze=False).flat)
    for unused in axes[count:]:
        unused.remove()
    return figure, axes[:count]


@functools.cache
def _registered_styles() -> dict[str, SelectorStyle]:
    """Styles of all registered selectors and of all patches, in the order of legends."""
    settings = sorted(SELECTORS.values(), key=lambda entry: entry.order)
    styles = {
        entry.model_fields["method"].default: SelectorStyle(entry.label, entry.colour, entry.marker)
        for entry in settings
    }
    return styles | CONTROLS


def selector_styles(selectors: Iterable[str]) -> dict[str, SelectorStyle]:
    """Style of each selector by its name, in the order of legends.

    A selector that is named after its method has the same style in every figure; others get the spare colours in
    alphabetical order.

    Args:
        selectors: Names of selectors; repeats are ignored.
    """
    registered = _registered_styles()
    order = list(registered)
    names = sorted(set(selectors), key=lambda name: (order.index(name) if name in registered else len(order), name))
    used = {registered[name].color for name in names if name in registered}
    spare = [(color, marker) for color, marker in zip(_SPARE_COLORS, _SPARE_MARKERS, strict=True) if color not in used]
    styles = {name: registered[name] for name in names if name in registered}
    for position, name in enumerate(name for name in names if name not in registered):
        styles[name] = SelectorStyle(name.replace("_", " "), *spare[position % len(spare)])
    return {name: styles[name] for name in names}


def panel_title(panel: tuple[str, str, str], notes: Mapping[str, str]) -> str:
    """Title of a panel in two lines: the dataset with its note, then sampler and encoder."""
    dataset, sampler, encoder = panel
    return f"{with_note(dataset, notes)}\nsampler {sampler}, encoder {encoder}"


def with_note(dataset: str, notes: Mapping[str, str]) -> str:
    """Name of a dataset, followed by its note in parentheses if it has one."""
    return f"{dataset} ({notes[dataset]})" if notes.get(dataset) else dataset


def dataset_note(metadata: Mapping[str, str]) -> str:
    """Note for the numbers of a dataset, from the metadata of its table "images"; empty if none is needed."""
    return "simulated scores" if metadata.get("scores", "").startswith("simulated") else ""


def draw_ceiling(axes: Axes, value: float) -> None:
    """Draw the noise ceiling, an SRCC, as a dotted line."""
    axes.axhline(value, color=CEILING, linestyle=":", linewidth=1.4, label="noise ceiling", zorder=1)


def shared_legend(figure: Figure, columns: int = 4) -> None:
    """Draw one legend below the panels with each label once, in at most `columns` columns that fit into the figure."""
    handles: dict[str, Artist] = {}
    for axes in figure.axes:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    for count in range(max(1, min(columns, len(handles))), 0, -1):
        entries = list(handles.values()), list(handles)
        legend = figure.legend(*entries, loc="outside lower center", ncols=count, handlelength=2.2)
        if count == 1 or legend.get_window_extent().width <= figure.bbox.width:
            return
        legend.remove()


def p_text(p: float) -> str:
    """A p value as text."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}" if p < 0.1 else f"p = {p:.2f}"
