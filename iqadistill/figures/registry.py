"""Registry of figures: one file each, with its needs (`FIGURE`) and its function `draw`."""

import ast
import functools
import importlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from iqadistill.errors import InputError, nearest
from iqadistill.settings import Settings

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from iqadistill.figures.inputs import BudgetInputs, DamageInputs, MetricInputs, SelectionInputs


class FigureSpec(Settings):
    """What a figure shows and what its experiment must give."""

    title: str = Field(description="Heading in the report.")
    caption: str = Field(description="Caption in the report; a Jinja template of study, settings and table.")
    alt: str = Field(description="Alternative text of the image in the report; a Jinja template.")
    reads: Literal["metrics", "selections", "budgets", "damage"] = Field(
        description="metrics: results of trained students; selections: rankings and patches only; budgets: students on"
        " all patches that score images from few; damage: patch scores and rankings where images are damaged in one"
        " region."
    )
    rates: Literal["one", "at_most_one", "many", "none"] = Field(
        description="Keep rates in the figure; a figure of metrics without keep rates compares students on all patches,"
        " as one of at most one rate does where its experiment gives no `keep`."
    )
    students: Literal["any", "measured", "trained", "pixels", "embeddings"] = Field(
        "any",
        description="Students in the figure; measured: all but predictions of other tools; trained: those with a"
        " history of epochs; pixels: deep students only; embeddings: those on frozen embeddings only.",
    )
    one_student: bool = Field(False, description="Whether the figure shows a single student.")
    needs: tuple[str, ...] = Field(
        (), description="Settings that distinguish the selectors: all must have them, no two may agree in all of them."
    )
    distortions: bool = Field(
        False, description="Whether the figure shows types of distortion, so that labels must name them."
    )
    histories: bool = Field(
        False,
        description="Whether the figure shows the epochs of trainings or what they took: its job alone reads the tables"
        ' "history", of which there is one for each training of a deep student.',
    )
    chooses: bool = Field(
        False, description="Whether the figure shows students that are trained on chosen training images."
    )
    among_rankings: bool = Field(
        False,
        description="Whether the figure shows selectors among students of random rankings, which are trained for it.",
    )
    ranks: bool = Field(
        False, description="Whether the figure ranks patches itself, with the selectors of the experiment."
    )
    most_selectors: int | None = Field(None, description="Largest number of selectors; default: any number.")
    most_tables: int | None = Field(None, description="Largest number of embedding tables; default: any number.")


class FigureRegistry(Mapping[str, FigureSpec]):
    """The figures in a folder.

    The needs of a figure are parsed from the literal `FIGURE = FigureSpec(...)` in its file. The file is not imported,
    because importing the plotting library would delay every start of the workflow by half a second.

    Args:
        package: Dotted name of the package of the figures.
        folder: Folder of that package.
    """

    def __init__(self, package: str, folder: Path):
        self.package, self.folder = package, folder

    @functools.cached_property
    def _specs(self) -> dict[str, FigureSpec]:
        specs = {file.stem: _read_spec(file) for file in sorted(self.folder.glob("*.py"))}
        return {name: spec for name, spec in specs.items() if spec is not None}

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all figures, sorted."""
        return tuple(self._specs)

    def __getitem__(self, name: str) -> FigureSpec:
        if name not in self._specs:
            raise InputError(f"figure: unknown figure {name!r}; {nearest(name, self._specs)}")
        return self._specs[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._specs)

    def __len__(self) -> int:
        return len(self._specs)

    def spec(self, name: str) -> FigureSpec:
        """What a figure shows and needs.

        Args:
            name: Name of the figure.

        Raises:
            InputError: The figure is unknown; the message names the nearest one.
        """
        return self[name]

    def module(self, name: str) -> str:
        """Dotted name of the file that draws a figure."""
        assert self[name]
        return f"{self.package}.{name}"

    def draw(
        self, name: str, inputs: "MetricInputs | SelectionInputs | BudgetInputs | DamageInputs"
    ) -> "tuple[Figure, pd.DataFrame]":
        """Draw a figure.

        Args:
            name: Name of the figure.
            inputs: `MetricInputs`, `SelectionInputs`, `BudgetInputs` or `DamageInputs`, by what the figure reads.

        Returns:
            The figure and the table of the numbers in it.
        """
        return importlib.import_module(self.module(name)).draw(inputs)


def _read_spec(file: Path) -> FigureSpec | None:
    """The literal `FIGURE` of a file, or None if the file has none."""
    text = file.read_text(encoding="utf-8")
    if "\nFIGURE = FigureSpec(" not in text:
        return None
    for node in ast.parse(text).body:
        if (
            isinstance(node, ast.Assign)
            and isinstance(node.value, ast.Call)
            and ast.unparse(node.targets[0]) == "FIGURE"
        ):
            values = {str(keyword.arg): ast.literal_eval(keyword.value) for keyword in node.value.keywords}
            return FigureSpec.of(values, f"{file.name}: FIGURE")
    return None


FIGURES = FigureRegistry("iqadistill.figures", Path(__file__).parent)
