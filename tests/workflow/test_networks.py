"""Deep students in the workflow: trained, killed, scored, compared and drawn."""

import json

import pandas as pd
import pytest

pytestmark = pytest.mark.xdist_group("networks")

STUDENTS = {
    "mlp": {"hidden": [8], "dropout": [0.0], "epochs": 3},
    "adtrs": {"backbone": "test_resnet", "weights": "none", "epochs": 1, "splits": 2, "size": 64},
}


@pytest.fixture
def arguments(workflow):
    """A small study of an mlp and an ADTRS, the latter on all patches and on distilled ones."""
    workflow.write_images()
    study = workflow.study(
        samplers={"grid_crops": {"count": 4, "size": 64}},
        students=STUDENTS,
        evaluation={"splits": 3, "bootstrap": 100},
        experiments=[
            {"figure": "students", "students": ["mlp", "adtrs"]},
            {"figure": "rate_sweep", "students": ["adtrs"], "selectors": ["residual"]},
            {"figure": "student_cost", "students": ["mlp", "adtrs"]},
        ],
    )
    return ["--cores", "2", "--configfile", study]


def test_deep_student_goes_through_the_whole_chain(workflow, arguments):
    workflow.run_forked(*arguments)
    results = workflow.folder / "results"
    metrics = pd.read_parquet(results / "studies/small/metrics.parquet")
    deep = metrics[metrics.student == "adtrs"]
    assert set(deep.selector) == {"all", "random", "residual"} and set(deep.split) == {0, 1}
    assert set(metrics[metrics.student == "mlp"].split) == {0, 1, 2}
    comparisons = pd.read_parquet(results / "studies/small/comparisons.parquet")
    pair = comparisons[comparisons.family == "students"].iloc[0]
    assert {pair.student, pair.other_student} == {"mlp", "adtrs"}
    folder = results / "train_student/small/own/grid_crops/tiny/residual/0.5/adtrs"
    facts = json.loads((folder / "0.json").read_text())
    assert facts["variant"]["selector"] == "residual" and facts["settings"]["epochs"] == 1
    assert not any((results / "checkpoints").rglob("*.safetensors"))
    assert (results / "studies/small/figures/students.svg").is_file()
    costs = pd.read_parquet(results / "studies/small/tables/student_cost.parquet").set_index("student")
    assert (costs.milliseconds > 0).all() and set(costs.patches) == {4}
    assert not workflow.dry_run(*arguments).jobs
    # another learning rate trains the deep student again, and nothing else
    text = (workflow.folder / "small.yaml").read_text().replace("epochs: 1", "epochs: 1\n    lr: 0.001")
    (workflow.folder / "small.yaml").write_text(text)
    rules = workflow.dry_run(*arguments).rules
    assert "train_student" in rules and not rules & {"train_mlps", "select_patches", "embed_patches"}
