"""Registry of figures: one file each, whose `FIGURE` says what it shows and needs, and whose `draw` draws it."""

import ast
import functools
import importlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from iqadistill.errors import InputError, nearest
from iqadistill.settings import Settings

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


class FigureSpec(Settings):
    """What a figure shows and what it needs of its experiment."""

    title: str = Field(description="Heading in the report.")
    caption: str = Field(description="Caption in the report; Jinja with study, settings and table.")
    alt: str = Field(description="Alternative text of the image in the report; Jinja.")
    reads: Literal["metrics", "selections"] = Field(
        description="metrics: students are trained for it; selections: rankings and patches alone."
    )
    rates: Literal["one", "many", "none"] = Field(
        description="Keep rates that it shows; a figure on metrics that shows none compares students on all patches."
    )
    students: Literal["any", "pixels"] = Field("any", description="Students that it shows; pixels: deep ones only.")
    one_student: bool = Field(False, description="Whether it shows a single student.")
    needs: tuple[str, ...] = Field(
        (), description="Settings by which it tells selectors apart: each must have them, no two may agree in all."
    )
    ranks: bool = Field(False, description="Whether it ranks patches itself, with the experiment's selectors.")
    most_selectors: int | None = Field(None, description="Selectors that it can show; default: any number.")
    most_tables: int | None = Field(None, description="Embedding tables that it can show; default: any number.")


class FigureRegistry(Mapping[str, FigureSpec]):
    """The figures of a folder.

    What a figure needs is read from the literal `FIGURE = FigureSpec(...)` in its file without importing it: the plotting library
    would cost every start of the workflow half a second.

    Args:
        package: The folder's package.
        folder: The folder.
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

        Raises:
            InputError: There is no such figure.
        """
        return self[name]

    def module(self, name: str) -> str:
        """Dotted name of the file that draws a figure."""
        assert self[name]
        return f"{self.package}.{name}"

    def draw(self, name: str, inputs: Any) -> "tuple[Figure, pd.DataFrame]":
        """Draw a figure.

        Args:
            name: Its name.
            inputs: `MetricInputs` or `SelectionInputs`, as its spec reads.

        Returns:
            The figure and the numbers it shows.
        """
        return importlib.import_module(self.module(name)).draw(inputs)


def _read_spec(file: Path) -> FigureSpec | None:
    """The literal `FIGURE` of a file; None where there is none."""
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
