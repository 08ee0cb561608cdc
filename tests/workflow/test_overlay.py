"""The overlay makes a paper's study small and leaves what it asks as it is."""

import copy
from pathlib import Path

import pytest
import yaml
from miniatures import has_archive
from overlay import NotMerelySmaller, check_merely_smaller, overlay

from iqadistill.config import Plan, check_study

STUDIES = sorted((Path(__file__).parents[2] / "studies").glob("paper_*.yaml"))


@pytest.fixture(params=STUDIES, ids=lambda file: file.stem)
def shipped(request):
    return yaml.safe_load(request.param.read_text())


@pytest.fixture
def rkiqt():
    """A study and its overlay."""
    study = yaml.safe_load((STUDIES[0].parent / "paper_rkiqt.yaml").read_text())
    return study, small_of(study)


def small_of(study):
    return overlay(study, {name: f"http://localhost/{name}.zip" for name in study["datasets"] if has_archive(name)})


def test_miniature_keeps_the_experiments_and_plans_the_same_figures(shipped):
    small = small_of(shipped)
    assert small["experiments"] == shipped["experiments"]
    whole, miniature = Plan(check_study(shipped)), Plan(check_study(small))
    for rules in (("plot_metrics", "plot_selection", "render_report"), ("index_dataset",), ("sample_patches",)):
        assert len(miniature.outputs(*rules)) == len(whole.outputs(*rules))
    assert {job.student for job in miniature.mlp_jobs} == {job.student for job in whole.mlp_jobs}
    entries = {job.student.partition(".")[0] for job in miniature.student_jobs}
    assert entries == {job.student.partition(".")[0] for job in whole.student_jobs}


def test_shipped_study_is_left_as_it_is(shipped):
    before = copy.deepcopy(shipped)
    small_of(shipped)
    assert shipped == before


def drop(*path):
    def change(study):
        *parents, last = path
        for key in parents:
            study = study[key]
        del study[last]

    return change


def put(*path_and_value):
    *path, value = path_and_value

    def change(study):
        inner = study
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = value

    return change


@pytest.mark.parametrize(
    ("where", "change"),
    [
        ("experiments", drop("experiments", 3)),
        ("experiments", put("experiments", 0, "name", "other")),
        ("experiments", put("experiments", 0, "students", ["rkiqt"])),
        ("experiments", put("experiments", 1, "datasets", ["csiq"])),
        ("datasets.spaq", drop("datasets", "spaq")),
        ("datasets.other", put("datasets", "other", {"url": "http://localhost/other.zip"})),
        ("datasets.koniq10k.splits", put("datasets", "koniq10k", "splits", ["random"])),
        ("students.rkiqt_mcd", drop("students", "rkiqt_mcd")),
        ("students.rkiqt.mcd_weight", put("students", "rkiqt", "mcd_weight", 0.2)),
        ("students.rkiqt_plain.head", drop("students", "rkiqt_plain", "head")),
        ("students.rkiqt_masking.masking", put("students", "rkiqt_masking", "masking", ["centre"])),
        ("students.rkiqt_ratio.mask_ratio", put("students", "rkiqt_ratio", "mask_ratio", [0.1, 0.1])),
        ("students.rkiqt_generator.generator", put("students", "rkiqt_generator", "generator", [[3], [3, 3]])),
        ("students.mlp.dropout", put("students", "mlp", "dropout", [])),
        ("students.rkiqt.flips", put("students", "rkiqt", "flips", [])),
        ("students.rkiqt.epochs", put("students", "rkiqt", "epochs", 10)),
        ("students.rkiqt.backbone", put("students", "rkiqt", "backbone", "deit3_base_patch16_224")),
        ("students.rkiqt.weights", put("students", "rkiqt", "weights", "packaged")),
        ("teachers.inn.backbone", put("teachers", "inn", "backbone", "test_resnet")),
        ("teachers.nar.pristine", put("teachers", "nar", "pristine", "target")),
        ("teachers.nar.mixer_width", put("teachers", "nar", "mixer_width", 512)),
        ("selectors.kcenter", drop("selectors", "kcenter")),
        ("selectors.residual.alpha", put("selectors", "residual", "alpha", 0.01)),
        ("samplers.random_crops.count", put("samplers", "random_crops", "count", 11)),
        ("keep", put("keep", [1.0])),
        ("evaluation.test_fraction", put("evaluation", "test_fraction", 0.1)),
        ("evaluation.splits", put("evaluation", "splits", 0)),
        ("device", put("device", "cuda")),
        ("seed", put("seed", 1)),
        ("name", put("name", "other")),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_anything_but_a_smaller_size_is_refused(rkiqt, where, change):
    shipped, small = rkiqt
    check_merely_smaller(shipped, small)
    small = copy.deepcopy(small)
    change(small)
    with pytest.raises(NotMerelySmaller, match=rf"^{where}\b"):
        check_merely_smaller(shipped, small)


def test_every_paper_study_is_run_in_miniature():
    assert STUDIES and all(Path(__file__).with_name(f"test_{file.stem}.py").is_file() for file in STUDIES)
