import pandas as pd
import pytest

from iqadistill.figures.captions import render_text, splits_in_words
from iqadistill.figures.registry import FIGURES

STUDY = {"evaluation": {"splits": 10, "margin": 0.01}}


def sweep(own=None, common="all", most=None):
    """A study whose student and evaluation have settings of test patches."""
    evaluation = {**STUDY["evaluation"], "test_patches": common, "max_test_patches": most}
    return {"evaluation": evaluation, "students": {"mlp": {"test_patches": own}}}


def rows(**splits):
    return pd.DataFrame({"student": splits.keys(), "splits": splits.values()})


def test_splits_are_counted_from_the_data_for_each_student():
    assert splits_in_words(rows(mlp=10)) == "10"
    assert splits_in_words(rows(mlp=10, adtrs=5, rkiqt=5, label_only=3)) == "10 (mlp) and 5 (adtrs, rkiqt)"
    assert splits_in_words(pd.DataFrame({"h": [5]})) == "all"
    caption = render_text("rate_sweep", "caption", study=sweep(), settings={}, table=rows(mlp=4))
    assert "mean over 4 content-disjoint splits" in caption


@pytest.mark.parametrize(
    ("study", "patches"),
    [
        (sweep(), "by all their patches."),
        (sweep(own="kept"), "by the patches that the selector keeps."),
        (sweep(own="all", common="kept"), "by all their patches."),
        (sweep(common="kept"), "by the patches that the selector keeps."),
        (sweep(most=10), "by at most 10 of their patches."),
    ],
)
def test_caption_of_the_sweep_says_which_patches_score_test_images(study, patches):
    assert render_text("rate_sweep", "caption", study=study, settings={}, table=rows(mlp=4)).endswith(patches)


@pytest.mark.parametrize("figure", FIGURES.names)
def test_every_figure_has_a_caption_before_it_is_drawn(figure):
    settings = {"keep_rate": 0.4} if FIGURES.spec(figure).rates == "one" else {}
    caption = render_text(figure, "caption", study=STUDY, settings=settings, simulated=["gallery2d"])
    assert caption.endswith("The scores of gallery2d are simulated.")
    assert "{{" not in caption and "none" not in caption.lower().split()


def test_caption_of_convergence_says_what_eight_iterations_reach():
    table = pd.DataFrame({"solver": ["published", "published", "irls"], "iteration": [8, 9, 8], "images": 3})
    table = table.assign(tolerance=1e-3, excess_median=[0.014, 0.01, 0.5])
    caption = render_text("convergence", "caption", study=STUDY, settings={}, table=table)
    assert "over 3 images" in caption and "1.4 % above" in caption
    assert "%" not in render_text("convergence", "caption", study=STUDY, settings={}, table=table[2:])
