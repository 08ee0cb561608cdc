import numpy as np
import pandas as pd

from iqadistill.report.signatures import disagreement_warnings, training_notes, training_warnings

VARIANT = {"train_dataset": "lab", "sampler": "crops", "encoder": "lite0", "selector": "all", "keep": 1.0}


def training(losses, parts=None, validation=None, split=0):
    """Rows of table "history" of one training."""
    epochs = len(losses)
    return pd.DataFrame({"epoch": range(epochs), "loss": losses, "split": split}).assign(
        **VARIANT,
        teacher="",
        student="adtrs",
        parts=parts or [None] * epochs,
        val_srcc=validation or [np.nan] * epochs,
    )


def test_sound_training_raises_no_warning():
    parts = [[("quality", loss * 0.9), ("ranking", loss * 0.1)] for loss in (3.0, 2.0, 1.0)]
    for run in (training([3.0, 2.0, 1.0], parts, [0.5, 0.7, 0.69]), training([3.0])):  # one epoch shows no course
        assert training_warnings(run) == training_notes(run) == []


def test_loss_that_does_not_fall_is_counted_over_the_trainings():
    both = pd.concat([training([1.0, 2.0, 1.0]), training([3.0, 2.0, 1.0], split=1)])
    (sentence,) = training_warnings(both)
    assert sentence.startswith("lab, adtrs: the training loss did not fall") and "1 of 2 trainings" in sentence


def test_auxiliary_part_that_dominates_is_named():
    parts = [[("quality", 0.5), ("consistency", 0.5)], [("quality", 0.05), ("consistency", 0.55)]]
    (sentence,) = training_notes(training([1.0, 0.6], parts))
    assert training_warnings(training([1.0, 0.6], parts)) == []
    assert "consistency" in sentence and "80%" in sentence


def test_validation_that_falls_while_the_loss_falls_is_overfitting():
    (sentence,) = training_notes(training([3.0, 2.0, 1.0], validation=[0.5, 0.7, 0.6]))
    assert "overfitting" in sentence
    assert training_notes(training([3.0, 1.0, 2.0], validation=[0.5, 0.7, 0.6])) == []


def test_srcc_and_plcc_that_disagree_are_named():
    rows = [
        {**VARIANT, "dataset": "lab", "student": student, "metric": metric, "mean": value}
        for student, srcc, plcc in (("adtrs", 0.9, 0.7), ("mlp", 0.8, 0.82))
        for metric, value in (("srcc", srcc), ("plcc", plcc))
    ]
    (sentence,) = disagreement_warnings(pd.DataFrame(rows))
    assert "adtrs" in sentence and "0.900" in sentence and "0.700" in sentence
