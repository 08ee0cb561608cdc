import numpy as np
import pandas as pd
import pytest
from evaluation_tables import RATES, SELECTORS, EvaluationTables, add_sweep

from iqadistill.errors import InputError
from iqadistill.figures.against_random import plot_against_random
from iqadistill.figures.controls import plot_controls
from iqadistill.figures.cost import plot_cost
from iqadistill.figures.dimension import plot_dimension
from iqadistill.figures.drawing.variants import against_random
from iqadistill.figures.pooling import plot_pooling
from iqadistill.figures.rate_sweep import plot_rate_sweep
from iqadistill.figures.sampler_metric import plot_sampler_metric
from iqadistill.figures.sensitivity import plot_sensitivity

NOTES = {"gallery360": "simulated scores"}


def titles(figure):
    return " ".join(axes.get_title() + axes.get_title("left") for axes in figure.axes)


def line(axes, label):
    return next(artist for artist in axes.get_lines() if artist.get_label() == label)


def test_rate_sweep_table_has_every_rate_with_its_difference_to_random(tables):
    _, table = plot_rate_sweep(tables.summary, tables.comparisons)
    assert len(table) == 2 * (1 + len(RATES) * (1 + len(SELECTORS)))
    row = table[(table.selector == "residual") & (table.keep == 0.1) & (table.metric == "srcc")].iloc[0]
    assert row.delta_random == pytest.approx(0.02)
    assert (row.delta_low, row.delta_high, row.p_holm) == pytest.approx((0.01, 0.03, 0.01))
    assert table[table.selector.isin(["random", "all"])].p_holm.isna().all()
    assert "label_only" not in set(table.student)


def test_rate_sweep_lines_end_at_all_patches(tables):
    figure, _ = plot_rate_sweep(tables.summary, tables.comparisons)
    drawn = line(figure.axes[0], "residual")
    assert drawn.get_xdata()[-1] == 1.0
    assert drawn.get_ydata()[-1] == pytest.approx(0.87)
    dashed = line(figure.axes[0], "all patches")
    assert dashed.get_linestyle() == "--"
    assert dashed.get_ydata()[0] == pytest.approx(0.87)


def test_interval_of_random_is_a_grey_band(tables):
    figure, _ = plot_rate_sweep(tables.summary, tables.comparisons)
    band = figure.axes[0].collections[0]
    red, green, blue, _ = band.get_facecolor()[0]
    assert red == green == blue
    lowest = 0.87 - 0.05 * 0.81 - 0.02
    assert band.get_paths()[0].vertices[:, 1].min() == pytest.approx(lowest)


def test_simulated_scores_and_noise_ceiling_are_marked(tables):
    figure, _ = plot_rate_sweep(tables.summary, tables.comparisons, NOTES, {"gallery360": 0.93})
    assert "gallery360 (simulated scores)" in titles(figure)
    assert line(figure.axes[0], "noise ceiling").get_ydata()[0] == 0.93
    assert "noise ceiling" not in [drawn.get_label() for drawn in figure.axes[1].get_lines()]


def test_fourth_panel_starts_a_new_row():
    tables = EvaluationTables()
    for sampler in ("erp", "lat", "sp", "sphere"):
        add_sweep(tables, ("gallery360", sampler, "lite0"), 0.8)
    figure, _ = plot_rate_sweep(tables.summary, tables.comparisons)
    assert len(figure.axes) == 2 * 4


def test_summary_without_trained_students_is_refused(tables):
    only_control = tables.summary[lambda rows: rows.student == "label_only"]
    with pytest.raises(InputError, match="summary: "):
        plot_rate_sweep(only_control, tables.comparisons)


def add_grid(tables, panel, settings, means):
    for selector, mean in zip(settings, means, strict=True):
        tables.add(panel, selector, 0.4, mean)
        tables.compare(panel, (selector, 0.4), ("random", 0.4), mean - 0.852, 0.5)


def test_sampler_metric_table_has_a_row_per_sampler_and_distance(tables, panel):
    settings = {
        f"m-{name}": {"metric": name, "gamma": "scale_free"} for name in ("euclidean", "manhattan", "mahalanobis")
    }
    add_grid(tables, panel, settings, [0.85, 0.86, 0.84])
    figure, table = plot_sampler_metric(tables.summary, tables.comparisons, settings, 0.4, NOTES)
    assert dict(zip(table.distance, table["mean"], strict=True)) == {
        "euclidean": 0.85,
        "manhattan": 0.86,
        "mahalanobis": 0.84,
    }
    assert set(table.metric) == {"srcc"}
    assert table.delta_random.notna().all()
    assert "simulated scores" in titles(figure)


def test_sampler_metric_distinguishes_kernel_widths(tables, panel):
    settings = {
        f"m-{metric}-{gamma}": {"metric": metric, "gamma": gamma}
        for metric in ("euclidean", "manhattan")
        for gamma in ("published", "scale_free")
    }
    add_grid(tables, panel, settings, [0.85, 0.86, 0.84, 0.83])
    figure, table = plot_sampler_metric(tables.summary, tables.comparisons, settings, 0.4)
    means = {(row.distance, row.gamma): row["mean"] for _, row in table.iterrows()}
    assert means["euclidean", "scale_free"] == 0.86 and len(means) == 4
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert len([label for label in legend if "gamma" in label]) == 4


def test_dimension_is_ordered_by_h(tables, panel):
    settings = {f"h-{h}": {"n_components": h} for h in (20, 5, 10)}
    add_grid(tables, panel, settings, [0.85, 0.86, 0.84])
    figure, table = plot_dimension(tables.summary, tables.comparisons, settings, 0.4)
    assert list(table.n_components) == [5, 10, 20]
    assert list(table["mean"]) == [0.86, 0.84, 0.85]
    assert [tick.get_text() for tick in figure.axes[0].get_xticklabels()] == ["5", "10", "20"]


def test_sensitivity_shows_range_and_difference_to_the_best_cell(tables, panel):
    settings = {f"a{a}b{b}": {"alpha": a, "beta": b} for a in (0.01, 1.0) for b in (0.1, 10.0)}
    add_grid(tables, panel, settings, [0.85, 0.86, 0.84, 0.83])
    figure, table = plot_sensitivity(tables.summary, tables.comparisons, settings, 0.4)
    worst = table[(table.alpha == 1.0) & (table.beta == 10.0)].iloc[0]
    assert worst.below_best == pytest.approx(0.03)
    assert "0.030" in titles(figure)
    assert {text.get_text() for text in figure.axes[0].texts} == {"0.850", "0.860", "0.840", "0.830"}


def test_missing_setting_is_named(tables):
    with pytest.raises(InputError, match=r"selectors\.residual.*alpha"):
        plot_sensitivity(tables.summary, tables.comparisons, {"residual": {"beta": 1.0}}, 0.4)


@pytest.mark.parametrize("first_is_left", [True, False])
def test_pooling_shows_the_difference_to_the_first_encoder_in_either_order_of_the_pair(tables, panel, first_is_left):
    gap = (*panel[:2], "lite0_gap")
    tables.add(gap, "all", 1.0, 0.55)
    left, right = (panel, gap) if first_is_left else (gap, panel)
    tables.compare(left, ("all", 1.0), ("all", 1.0), 0.32 if first_is_left else -0.32, 0.001)
    for pair in tables.pairs[-2:]:
        pair["other_encoder"] = right[2]
    figure, table = plot_pooling(tables.summary, tables.comparisons)
    row = table[(table.encoder == "lite0_gap") & (table.metric == "srcc")].iloc[0]
    assert (row.delta_first, row.delta_low, row.delta_high) == pytest.approx((-0.32, -0.33, -0.31))
    assert table[table.encoder == panel[2]].delta_first.isna().all()
    assert "lite0_gap" in [text.get_text() for text in figure.legends[0].get_texts()]
    assert "-0.320 [-0.330, -0.310] worse" in [text.get_text() for axes in figure.axes for text in axes.texts]


def test_controls_are_all_patches_random_label_and_ceiling(tables):
    figure, table = plot_controls(tables.summary, 0.4, NOTES, {"gallery360": 0.93})
    shown = table.set_index("control")["mean"]
    assert shown["all patches"] == pytest.approx(0.87)
    assert shown["random"] == pytest.approx(0.852)
    assert shown["distortion label alone"] == pytest.approx(0.92)
    assert shown["noise ceiling"] == 0.93
    assert "simulated scores" in titles(figure)


def cost_rows(panel):
    rows = [(*panel, "all", 1.0, 1000, 2.0, 0.0)]
    rows += [
        (*panel, name, keep, int(1000 * keep), 2.0 * keep, 0.5) for name in ("random", "residual") for keep in RATES
    ]
    return pd.DataFrame(
        rows,
        columns=["dataset", "sampler", "encoder", "selector", "keep", "patches", "train_seconds", "select_seconds"],
    )


def test_cost_is_relative_to_all_patches(tables, panel):
    _, table = plot_cost(cost_rows(panel), tables.comparisons)
    row = table[(table.selector == "residual") & np.isclose(table.keep, 0.4)].iloc[0]
    assert (row.patches_share, row.seconds_saved) == pytest.approx((0.4, 1.2))
    assert row.srcc_lost == pytest.approx(0.018 - 0.002)
    assert (row.lost_low, row.lost_high) == pytest.approx((row.srcc_lost - 0.01, row.srcc_lost + 0.01))


def test_cost_without_all_patches_is_refused(tables, panel):
    costs = cost_rows(panel)
    with pytest.raises(InputError, match=r"costs: .*gallery360/erp/lite0_stages"):
        plot_cost(costs[costs.selector != "all"], tables.comparisons)


def test_cost_of_all_patches_alone_is_drawn(tables, panel):
    costs = cost_rows(panel)
    _, table = plot_cost(costs[costs.selector == "all"], tables.comparisons)
    assert table.seconds_saved.tolist() == [0.0]


def among_rankings(tables):
    """Selectors among 99 random rankings at two keep rates."""
    pairs = against_random(tables.comparisons).query("metric == 'srcc' and keep < 0.25")
    return pairs.assign(test="random_rankings", draws=99, below=40, deviation=0.004, margin=0.01)


def test_selectors_among_random_rankings_stand_by_keep_rate(tables):
    figure, table = plot_against_random(among_rankings(tables), NOTES)
    (axes,) = figure.axes
    ticks = [tick.get_text().strip() for tick in axes.get_yticklabels()]
    assert ticks.count("residual") == 2 and ticks[0] == "keep 0.1" and "keep 0.2" in ticks
    assert len(table) == 2 * len(SELECTORS)
    said = [text.get_text() for text in axes.texts]
    assert said[0] == "better (detectable: 0.015)" and sum("undecided" in text for text in said) == len(table) - 1


def test_band_of_random_rankings_is_95_percent_of_them(tables):
    figure, _ = plot_against_random(among_rankings(tables))
    widths = [patch.get_width() for patch in figure.axes[0].patches]
    assert widths == pytest.approx([2 * 1.96 * 0.004] * 2)
