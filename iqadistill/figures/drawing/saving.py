"""A figure and its table on disk."""

from pathlib import Path

import matplotlib
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from matplotlib.figure import Figure

from iqadistill import __version__
from iqadistill.figures.drawing.style import STYLE
from iqadistill.tables import write_atomically, write_csv


def save_figure(figure: Figure, table: pd.DataFrame, figure_stem: Path, table_stem: Path) -> None:
    """Write a figure as SVG and PNG and its numbers as CSV and Parquet, each atomically.

    The same figure gives the same bytes: no dates, no random ids.

    Args:
        figure: What a `plot_*` function drew.
        table: The numbers it shows.
        figure_stem: Path without suffix; `.svg` and `.png` are appended, so a name may hold dots.
        table_stem: Path without suffix for `.csv` and `.parquet`.
    """
    with matplotlib.rc_context(STYLE):
        write_atomically(
            with_ending(figure_stem, "svg"), lambda path: figure.savefig(path, format="svg", metadata={"Date": None})
        )
        write_atomically(
            with_ending(figure_stem, "png"),
            lambda path: figure.savefig(path, format="png", metadata={"Software": None}),
        )
    rows = pa.Table.from_pandas(table, preserve_index=False)
    rows = rows.replace_schema_metadata({"figure": Path(figure_stem).name, "iqadistill_version": __version__})
    write_csv(rows, with_ending(table_stem, "csv"))
    write_atomically(with_ending(table_stem, "parquet"), lambda path: pq.write_table(rows, path, compression="zstd"))


def with_ending(stem: str | Path, ending: str) -> Path:
    """The stem with an ending appended; a dot inside the name is no suffix."""
    stem = Path(stem)
    return stem.with_name(f"{stem.name}.{ending}")
