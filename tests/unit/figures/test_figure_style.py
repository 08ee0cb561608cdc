import matplotlib
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from iqadistill.figures.drawing.saving import save_figure
from iqadistill.figures.drawing.style import (
    SELECTORS,
    dataset_note,
    new_figure,
    p_text,
    selector_styles,
    shared_legend,
)
from iqadistill.figures.duplicates import plot_duplicates


def drawn():
    values = np.arange(4.0)
    return plot_duplicates(values, values, values, values + 1)


def test_selector_has_the_same_style_in_every_figure():
    few = selector_styles(["residual", "random"])
    many = selector_styles([*SELECTORS, "mine", "other_one"])
    assert few["residual"] == many["residual"]
    assert len({style.color for style in many.values()}) == len(many)
    assert len({style.marker for style in many.values()}) == len(many)
    assert many["other_one"].label == "other one"


def test_only_simulated_scores_have_a_note():
    assert dataset_note({"scores": "simulated: drawn from KADID-10k"}) == "simulated scores"
    assert dataset_note({}) == ""


def test_p_values_are_not_rounded_to_zero():
    assert [p_text(p) for p in (0.0, 0.012, 0.61)] == ["p < 0.001", "p = 0.012", "p = 0.61"]


def test_saved_files_are_reproducible_and_hold_no_path_or_date(tmp_path):
    for run in ("first", "second"):
        figure, table = drawn()
        save_figure(figure, table, tmp_path / run / "keep0.4", tmp_path / run / "keep0.4")
    names = sorted(file.name for file in (tmp_path / "first").iterdir())
    assert names == ["keep0.4.csv", "keep0.4.parquet", "keep0.4.png", "keep0.4.svg"]
    for name in names:
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()
    svg = (tmp_path / "first" / "keep0.4.svg").read_text()
    assert str(tmp_path) not in svg
    assert "dc:date" not in svg


def test_saved_tables_equal_the_table_of_the_figure(tmp_path):
    figure, table = drawn()
    save_figure(figure, table, tmp_path / "figures" / "d", tmp_path / "tables" / "d")
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "tables" / "d.csv"), table, check_dtype=False)
    assert pq.read_table(tmp_path / "tables" / "d.parquet").to_pandas().equals(table)


def test_drawing_does_not_change_global_settings():
    def settings():
        return {name: value for name, value in matplotlib.rcParams.items() if name != "backend"}

    before = settings()
    drawn()
    assert settings() == before


@pytest.mark.parametrize(("letters", "columns"), [(4, [4]), (30, [2, 3]), (200, [1])])
def test_legend_has_as_many_columns_as_fit_into_the_figure(letters, columns):
    figure = new_figure(8.0, 4.0)
    axes = figure.subplots()
    for place in range(8):
        axes.plot([0, 1], label=f"{place}" * letters)
    shared_legend(figure)
    (legend,) = figure.legends
    assert legend._ncols in columns
    assert columns == [1] or legend.get_window_extent().width <= figure.bbox.width
