"""Saving a figure and the table of its numbers."""

from pathlib import Path

import matplotlib
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from matplotlib.figure import Figure

from iqadistill import __version__
from iqadistill.atomic_writing import write_atomically
from iqadistill.figures.drawing.style import STYLE, any_script
from iqadistill.tables import write_csv


def save_figure(figure: Figure, table: pd.DataFrame, figure_stem: Path, table_stem: Path) -> None:
    """Write a figure as SVG and PNG and its numbers as CSV and Parquet, each atomically.

    Equal figures give equal bytes: the files hold no dates and no random ids.

    Args:
        figure: Figure drawn by a `plot_*` function.
        table: Numbers in the figure.
        figure_stem: Path of the images without suffix; `.svg` and `.png` are appended, so a name may contain dots.
        table_stem: Path of the tables without suffix; `.csv` and `.parquet` are appended.
    """
    with matplotlib.rc_context(STYLE), any_script():
        write_atomically(
            with_suffix(figure_stem, "svg"), lambda path: figure.savefig(path, format="svg", metadata={"Date": None})
        )
        write_atomically(
            with_suffix(figure_stem, "png"),
            lambda path: figure.savefig(path, format="png", metadata={"Software": None}),
        )
    rows = pa.Table.from_pandas(table, preserve_index=False)
    rows = rows.replace_schema_metadata({"figure": Path(figure_stem).name, "iqadistill_version": __version__})
    write_csv(rows, with_suffix(table_stem, "csv"))
    write_atomically(
        with_suffix(table_stem, "parquet"),
        lambda path: pq.write_table(rows, path, compression="zstd", write_page_checksum=True),
    )


def with_suffix(stem: str | Path, suffix: str) -> Path:
    """Append a suffix to a path; unlike `Path.with_suffix`, a dot in the name is kept with what follows it."""
    stem = Path(stem)
    return stem.with_name(f"{stem.name}.{suffix}")
