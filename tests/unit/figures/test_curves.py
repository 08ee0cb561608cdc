import numpy as np
import pandas as pd
import pytest

from iqadistill.errors import InputError
from iqadistill.figures.curves import plot_curves

PANEL = {"dataset": "photos", "sampler": "crops", "encoder": "lite0"}


def history(student, split, losses, validation=None, selector="all"):
    """Rows of table "history"; half of the loss of adtrs is its part "ranking"."""
    parts = [[("quality", loss / 2), ("ranking", loss / 2)] if student == "adtrs" else None for loss in losses]
    frame = pd.DataFrame({"epoch": range(1, len(losses) + 1), "loss": losses, "parts": parts})
    return frame.assign(**PANEL, student=student, split=split, selector=selector, val_srcc=validation or np.nan)


def test_curves_are_means_over_splits_with_their_range():
    rows = pd.concat([history("adtrs", 0, [2.0, 1.0], [0.5, 0.7]), history("adtrs", 1, [4.0, 1.0], [0.3, 0.5])])
    _, table = plot_curves(rows, ["adtrs"])
    first = table[table.epoch == 1].set_index("quantity")
    assert tuple(first.loc["loss", ["mean", "low", "high", "splits"]]) == (3.0, 2.0, 4.0, 2)
    assert first["mean"]["ranking"] == 1.5
    assert first["mean"]["val_srcc"] == pytest.approx(0.4)


def test_each_student_has_a_row_of_panels_in_the_order_of_the_experiment():
    rows = pd.concat([history("mlp", 0, [1.0, 0.5]), history("adtrs", 0, [2.0, 1.0], [0.5, 0.7])])
    figure, _ = plot_curves(rows, ["adtrs", "mlp"], {"photos": "simulated scores"})
    titles = [axes.get_title("left") for axes in figure.axes[::2]]
    assert titles[0].startswith("adtrs on photos (simulated scores)") and titles[1].startswith("mlp")
    assert [text.get_text() for text in figure.axes[3].texts] == ["no validation images"]
    labels = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert labels == ["quality", "ranking", "sum"]


def test_students_on_kept_patches_are_not_drawn():
    with pytest.raises(InputError, match="history: "):
        plot_curves(history("mlp", 0, [1.0], selector="residual"), ["mlp"])
