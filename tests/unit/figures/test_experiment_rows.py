import json

import numpy as np
import pandas as pd
import pytest

from iqadistill.errors import InputError
from iqadistill.figures.experiment import EmbeddingTable, Experiment
from iqadistill.figures.inputs import SelectionInputs
from iqadistill.figures.rows import experiment_rows, student_costs, student_pairs, training_costs

EXPERIMENT = Experiment(
    name="sweep",
    figure="rate_sweep",
    tables=(EmbeddingTable("own", "erp", "tiny"),),
    selectors={"residual": {}},
    keep=(0.4,),
    students=("mlp",),
    tested_on=(),
)
STUDENT = ("dataset", "sampler", "encoder", "selector", "keep", "student", "split")
TEACHER = ("dataset", "sampler", "teacher", "split")


def names_of(keys, values):
    """Names of a job as in table "costs"."""
    return json.dumps(dict(zip(keys, values.split("/"), strict=True)), sort_keys=True)


def row(**changes):
    default = {
        "dataset": "own",
        "sampler": "erp",
        "encoder": "tiny",
        "selector": "residual",
        "keep": 0.4,
        "student": "mlp",
    }
    return {**default, **changes}


def test_rows_of_an_experiment_are_its_variants_and_controls():
    expected = [
        row(),
        row(selector="random"),
        row(selector="all", keep=1.0),
        row(sampler="", encoder="", selector="", keep=1.0, student="label_only"),
    ]
    others = [
        row(dataset="other"),
        row(sampler="lat"),
        row(encoder="big"),
        row(selector="kcenter"),
        row(keep=0.5),
        row(student="adtrs"),
        row(dataset="other", student="label_only"),
    ]
    rows = experiment_rows(pd.DataFrame(others + expected), EXPERIMENT)
    assert rows.to_dict("records") == expected


def test_students_on_whole_images_stand_in_every_embedding_table():
    tables = (EmbeddingTable("own", "erp", "tiny"), EmbeddingTable("own", "lat", "tiny"))
    experiment = EXPERIMENT.model_copy(update={"tables": tables, "students": ("brisque", "mlp")})
    everywhere = {"selector": "all", "keep": 1.0}
    whole = row(sampler="", encoder="", selector="", keep=1.0, student="brisque")
    others = [{**whole, "student": "niqe"}, {**whole, "dataset": "other"}]
    rows = experiment_rows(pd.DataFrame([row(**everywhere), whole, *others]), experiment)
    assert rows.to_dict("records") == [
        row(**everywhere),
        row(student="brisque", **everywhere),
        row(student="brisque", sampler="lat", **everywhere),
    ]


def test_pairs_of_students_stand_in_the_table_that_both_share():
    tables = (EmbeddingTable("own", "erp", "tiny"), EmbeddingTable("own", "lat", "tiny"))
    experiment = EXPERIMENT.model_copy(update={"tables": tables})

    def pair(first, second):
        names = ("sampler", "encoder", "student")
        both = dict(zip([*names, *(f"other_{name}" for name in names)], (*first, *second), strict=True))
        return {"dataset": "own", "family": "students", **both}

    mlp, brisque, niqe = ("lat", "tiny", "mlp"), ("", "", "brisque"), ("", "", "niqe")
    pairs = [pair(brisque, mlp), pair(brisque, niqe), pair(mlp, ("lat", "tiny", "deep"))]
    placed = student_pairs(pd.DataFrame([*pairs, {**pairs[0], "family": "samplers"}]), experiment)
    assert set(zip(placed.sampler, placed.student, placed.other_student, strict=True)) == {
        ("lat", "brisque", "mlp"),
        ("lat", "mlp", "deep"),
        ("erp", "brisque", "niqe"),
        ("lat", "brisque", "niqe"),
    }


def test_keep_rates_are_compared_with_a_tolerance():
    assert len(experiment_rows(pd.DataFrame([row(keep=0.1 + 0.3)]), EXPERIMENT)) == 1


@pytest.mark.parametrize("keep", [(1.0,), (0.4, 0.5)])
def test_experiment_with_one_keep_rate_refuses_none_or_several(keep):
    assert EXPERIMENT.keep_rate == 0.4
    with pytest.raises(InputError, match=rf"sweep.*keep.*{keep[-1]}"):
        _ = EXPERIMENT.model_copy(update={"keep": keep}).keep_rate


@pytest.mark.parametrize(
    ("name", "files", "numbers"), [("patches", [], (0, 1)), ("images", ["a", "b"], (2, 1)), ("traces", [], (0, 2))]
)
def test_number_of_files_must_match_the_experiment(name, files, numbers):
    experiment = EXPERIMENT.model_copy(update={"selectors": {"residual": {}, "random": {}}})
    given = {"images": ["i"], "patches": ["p"], "embeddings": ["e"], "selections": ["s", "t"], "traces": ["u", "v"]}
    assert SelectionInputs(experiment, **given).tables == experiment.tables
    got, expected = numbers
    with pytest.raises(InputError, match=rf"sweep: .*\b{got}\b.*{name}.*\b{expected}\b"):
        SelectionInputs(experiment, **{**given, name: files})


def test_training_costs_are_summed_over_epochs_and_averaged_over_splits():
    histories = pd.DataFrame(
        [
            row(split=split, epoch=epoch, num_patches=100 + 10 * split, seconds=1.0 + split)
            for split in (0, 1)
            for epoch in (0, 1, 2)
        ]
    )
    costs = pd.DataFrame(
        {
            "rule": ["select_patches", "predict"],
            "wildcards": [names_of(("dataset", "sampler", "encoder", "selector"), "own/erp/tiny/residual"), "{}"],
            "seconds": [7.0, 9.0],
        }
    )
    (one,) = training_costs(histories, costs).to_dict("records")
    assert one["patches"] == 105
    assert one["train_seconds"] == pytest.approx(4.5)
    assert one["select_seconds"] == 7.0


def test_student_costs_are_for_all_patches_and_include_epochs_and_teachers():
    histories = pd.DataFrame(
        [
            row(
                student="deep",
                selector=selector,
                teacher="nar+cnn",
                split=split,
                epoch=epoch,
                seconds=60.0 + 60 * split,
            )
            for selector in ("all", "residual")
            for split in (0, 1)
            for epoch in (0, 1)
        ]
    )
    jobs = [
        names_of(STUDENT, f"own/erp/tiny/{selector}/{keep}/deep/{split}")
        for selector, keep in (("all", 1.0), ("residual", 0.4))
        for split in (0, 1)
    ]
    teachers = [
        "other/erp/nar/all",
        "own/erp/cnn/0",
        "own/erp/cnn/1",
        "own/erp/cnn/2",
        "own/lat/cnn/0",
        "own/erp/inn/0",
    ]
    costs = pd.concat(
        [
            pd.DataFrame(
                {"rule": "train_student", "wildcards": jobs, "flops": [2e9, 2e9, 5e9, 5e9], "parameters": 4e6}
            ),
            pd.DataFrame(
                {
                    "rule": "pretrain_teacher",
                    "wildcards": [names_of(TEACHER, name) for name in teachers],
                    "seconds": 120.0,
                }
            ),
            pd.DataFrame({"rule": ["predict"], "wildcards": ['{"student": "mlp"}']}),
        ],
        ignore_index=True,
    ).assign(max_rss=8e9)
    unrelated = costs.wildcards.str.contains('residual|"2", "teacher": "cnn"|lat|inn|mlp')
    costs["max_vram"] = np.where(unrelated, 60e9, np.where(costs.wildcards.str.contains("nar"), 5e9, 3e9))
    (one,) = student_costs(histories, costs).to_dict("records")
    assert (one["student"], one["gigaflops"], one["millions"]) == ("deep", 2.0, 4.0)
    assert (one["minutes"], one["teacher_minutes"], one["total_minutes"]) == (3.0, 4.0, 7.0)
    assert one["gigabytes"] == 5.0


def test_each_teacher_counts_once_for_the_same_split_or_else_for_all_images():
    run = {"dataset": "own", "sampler": "erp", "student": "deep", "selector": "all", "teacher": "nar+far", "split": 0}
    histories = pd.DataFrame([row(**run, seconds=60.0)])
    names = ["own/erp/nar/0", "own/erp/nar/all", "other/lat/nar/all", "other/lat/far/all", "own/lat/nar/0"]
    costs = pd.concat(
        [
            pd.DataFrame(
                {
                    "rule": ["train_student"],
                    "wildcards": [names_of(STUDENT, "own/erp/tiny/all/1.0/deep/0")],
                    "flops": 1.0,
                }
            ),
            pd.DataFrame({"rule": "pretrain_teacher", "wildcards": [names_of(TEACHER, name) for name in names]}).assign(
                seconds=[60.0, 600.0, 6000.0, 120.0, 60000.0]
            ),
        ],
        ignore_index=True,
    ).assign(parameters=1.0, max_rss=2e9, max_vram=float("nan"))
    (one,) = student_costs(histories, costs).to_dict("records")
    assert (one["teacher_minutes"], one["gigabytes"]) == (3.0, 2.0)
