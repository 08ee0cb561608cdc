import pytest

from iqadistill.config import check_study
from iqadistill.config.jobs.plan import Plan
from iqadistill.config.jobs.trainings import TeacherJob
from iqadistill.errors import InputError


@pytest.fixture
def raw():
    """Contents of a study file with teachers."""
    return {
        "name": "distilled",
        "datasets": {"kadid10k": {}, "livec": {}, "div2k": {}, "csiq": {}},
        "samplers": {"random_crops": {"count": 4, "size": 32}, "lat": {"count": 4, "size": 32}},
        "encoders": {"tiny": {"model": "test_resnet"}},
        "selectors": {},
        "keep": [0.5, 1.0],
        "teachers": {
            "nar": {"model": "nar_teacher"},
            "nar_target": {"model": "nar_teacher", "pretrain_on": "target", "pristine": "target"},
            "cnn": {"model": "regressor"},
        },
        "students": {"rkiqt": {"nar": "nar", "conv": "cnn"}, "rkiqt_other": {"nar": "nar_target", "conv": "cnn"}},
        "evaluation": {"splits": 2},
        "experiments": [{"figure": "students", "datasets": ["kadid10k", "livec"], "students": ["rkiqt"]}],
    }


def teachers_of_first_split(raw, dataset):
    """Teacher jobs of the students of a dataset's first split, by role."""
    plan = Plan(check_study(raw))
    job = next(job for job in plan.student_jobs if job.dataset == dataset and job.split == 0)
    return plan.teachers_of(job)


def refused(raw, *parts):
    """Assert that the study is refused with an error message that contains all parts."""
    with pytest.raises(InputError) as caught:
        check_study(raw)
    assert all(part in str(caught.value) for part in parts), str(caught.value)


def test_teacher_of_other_dataset_trains_on_all_its_images(raw):
    assert teachers_of_first_split(raw, "livec") == {
        "nar": TeacherJob("kadid10k", "random_crops", "nar", "all"),
        "conv": TeacherJob("livec", "random_crops", "cnn", "0"),
    }


def test_teacher_never_trains_on_test_images_of_its_student(raw):
    assert teachers_of_first_split(raw, "kadid10k")["nar"] == TeacherJob("kadid10k", "random_crops", "nar", "0")
    raw["experiments"][0] |= {"datasets": ["csiq"], "students": ["rkiqt_other"]}
    assert teachers_of_first_split(raw, "csiq")["nar"] == TeacherJob("csiq", "random_crops", "nar_target", "0")
    # the same images under another name are refused too
    raw["experiments"][0] |= {"datasets": ["kadid"], "students": ["rkiqt"]}
    raw["datasets"]["kadid"] = {"source": "kadid10k"}
    refused(raw, "teachers.nar.pretrain_on", "'kadid10k'", "'rkiqt'", "'kadid'")


def test_student_is_not_tested_on_training_images_of_its_teacher(raw):
    raw["experiments"] = [
        {"figure": "cross_dataset", "datasets": ["livec"], "tested_on": ["csiq", "kadid10k"], "students": ["rkiqt"]}
    ]
    refused(raw, "teachers.nar.pretrain_on", "'rkiqt'", "'kadid10k'")
    raw["experiments"][0]["tested_on"] = ["csiq"]
    raw["teachers"]["nar"]["pristine"] = "csiq"
    refused(raw, "teachers.nar.pristine", "'csiq'", "'rkiqt'")
    raw["teachers"]["nar"]["pristine"] = "div2k"
    raw["datasets"]["livec_again"] = {"source": "livec"}
    raw["experiments"][0]["tested_on"] = ["livec_again"]
    refused(raw, "tested_on", "'livec_again'", "'livec'")
    raw["experiments"][0]["tested_on"] = ["livec"]
    refused(raw, "tested_on", "'livec'")
    raw["experiments"][0] |= {"tested_on": ["csiq"], "students": ["mlp", "rkiqt"]}
    raw["students"]["mlp"] = {}
    refused(raw, "students: 'mlp'")
    raw["experiments"][0]["students"] = ["rkiqt"]
    raw["experiments"][0]["tested_on"] = ["csiq", "livec"]
    tests = Plan(check_study(raw)).cross_tests
    assert {(test.job.dataset, test.tested, test.job.split) for test in tests} == {
        ("livec", "csiq", 0),
        ("livec", "csiq", 1),
    }


def test_teacher_uses_references_of_training_contents_only(raw):
    raw["teachers"]["nar"] |= {"pristine": "csiq", "pretrain_on": "target"}
    raw["experiments"][0] |= {"datasets": ["csiq"]}
    refused(raw, "teachers.nar.pristine", "target")
    raw["teachers"]["nar"]["pristine"] = "target"
    plan = Plan(check_study(raw))
    (job, _) = [job for job in plan.teacher_jobs if job.teacher == "nar"]
    assert plan.references_of(job.dataset, job.sampler, "nar") == ("csiq", "random_crops")


def test_students_share_a_trained_teacher(raw):
    raw["students"]["rkiqt_second"] = {"nar": "nar", "conv": "cnn", "reverse": False}
    raw["experiments"][0]["students"] = ["rkiqt", "rkiqt_second"]
    names = [(job.dataset, job.teacher, job.split) for job in Plan(check_study(raw)).teacher_jobs]
    assert sorted(names) == [
        *(("kadid10k", "cnn", split) for split in "01"),
        *(("kadid10k", "nar", split) for split in ("0", "1", "all")),
        *(("livec", "cnn", split) for split in "01"),
    ]


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"nar": "narr"}, "students.rkiqt.nar: 'narr'"),
        ({"conv": "nar"}, "students.rkiqt.conv: 'nar'"),
        ({"tokens": ["cls", "inv"]}, "students.rkiqt.conv"),
        ({"head": "linear", "nar": None}, "students.rkiqt.conv"),
        ({"tokens": ["conv", "cls"]}, "students.rkiqt: tokens"),
        ({"masking": "checkerboard"}, "students.rkiqt.masking"),
    ],
)
def test_invalid_student_is_refused(raw, change, part):
    raw["students"]["rkiqt"] |= change
    refused(raw, part)


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"pristine": "div3k"}, "teachers.nar.pristine: 'div3k'"),
        ({"pretrain_on": "div2k"}, "teachers.nar.pretrain_on: 'div2k'"),
        ({"pristine": "target", "pretrain_on": "target"}, "teachers.nar.pristine: 'livec'"),
        ({"sampler": "lat"}, "teachers.nar.sampler: 'lat'"),
        ({"patience": 2}, "teachers.nar.patience"),
        ({"model": "nar"}, "teachers.nar.model"),
        ({"mixer": 3}, "teachers.nar.mixer:"),
    ],
)
def test_invalid_teacher_is_refused(raw, change, part):
    raw["experiments"][0]["datasets"] = ["livec"]
    raw["teachers"]["nar"] |= change
    refused(raw, part)


def test_list_of_lists_spans_a_grid_of_list_settings(raw):
    raw["students"]["rkiqt"] |= {"generator": [[], [3], [5, 5]], "tokens": ["cls", "conv"]}
    study = check_study(raw)
    members = {name: study.students[name].generator for name in study.grids["rkiqt"]}
    assert members == {"rkiqt.generator-none": (), "rkiqt.generator-3": (3,), "rkiqt.generator-5-5": (5, 5)}


def test_own_datasets_are_distinguished_by_folder(raw):
    raw["datasets"] |= {"ours": {"source": "images", "root": "a"}, "theirs": {"source": "images", "root": "b"}}
    raw["teachers"]["nar"]["pretrain_on"] = "theirs"
    raw["experiments"][0]["datasets"] = ["ours"]
    assert teachers_of_first_split(raw, "ours")["nar"].split == "all"
    raw["datasets"]["theirs"]["root"] = "a"
    refused(raw, "teachers.nar.pretrain_on", "'theirs'")


def test_dataset_is_sampled_with_its_own_sampler_wherever_it_appears(raw):
    raw["samplers"]["halved"] = {"method": "random_crops", "count": 4, "size": 32, "longer_side": 512}
    raw["datasets"] |= {"koniq10k": {"sampler": "halved"}, "livec": {"sampler": "random_crops"}}
    raw["datasets"] |= {name: {"sampler": "random_crops"} for name in ("kadid10k", "div2k")}
    raw["students"]["rkiqt"] |= {"size": 32}
    for teacher in ("nar", "cnn"):
        raw["teachers"][teacher]["size"] = 32
    both = ["livec", "koniq10k"]
    raw["experiments"] = [
        {"figure": "cross_dataset", "datasets": both, "tested_on": both, "students": ["rkiqt"], "samplers": ["halved"]}
    ]
    raw["encoders"]["tiny"]["size"] = 32
    plan = Plan(check_study(raw))
    assert {(test.job.dataset, test.job.sampler, test.tested, test.sampler) for test in plan.cross_tests} == {
        ("livec", "random_crops", "koniq10k", "halved"),
        ("koniq10k", "halved", "livec", "random_crops"),
    }
    assert {(job.dataset, job.sampler, job.teacher) for job in plan.teacher_jobs} == {
        ("kadid10k", "random_crops", "nar"),
        ("livec", "random_crops", "cnn"),
        ("koniq10k", "halved", "cnn"),
    }
    tests = [job for job in plan.jobs.values() if job.rule == "predict_cross"]
    assert {job.inputs["patches"] for job in tests} == {
        plan.patches_file("livec", "random_crops"),
        plan.patches_file("koniq10k", "halved"),
    }


@pytest.mark.parametrize(
    ("sampler", "part"), [("halved", "'halved' is not defined"), ("lat", "'lat' does not fit the flat images")]
)
def test_own_sampler_that_does_not_fit_is_refused(raw, sampler, part):
    raw["datasets"]["livec"]["sampler"] = sampler
    refused(raw, "datasets.livec.sampler", part)


def test_student_called_rkiqt_has_no_inn_teacher_from_random_weights(raw):
    raw["teachers"]["inn"] = {"model": "regressor", "backbone": "rednet26", "weights": "none"}
    raw["students"]["rkiqt"]["inv"] = "inn"
    refused(raw, "students.rkiqt.inv", "'inn'", "teachers.inn.weights")
    raw["students"]["rkiqt"]["mask_ratio"] = [0.3, 0.5]
    refused(raw, "students.rkiqt.mask_ratio-0.3.inv")
    raw["students"]["rkiqt_from_scratch"] = raw["students"].pop("rkiqt")
    raw["experiments"][0]["students"] = ["rkiqt_from_scratch"]
    assert check_study(raw)
    raw["students"]["rkiqt"] = raw["students"].pop("rkiqt_from_scratch")
    raw["experiments"][0]["students"] = ["rkiqt"]
    raw["teachers"]["inn"]["weights"] = "rednet26.pth"
    assert check_study(raw)


def test_rednet_needs_a_weights_file(raw):
    raw["teachers"]["cnn"]["backbone"] = "rednet26"
    refused(raw, "teachers.cnn", "weights")
    raw["teachers"]["cnn"]["weights"] = "rednet26.pth"
    assert check_study(raw).teachers["cnn"].weights == "rednet26.pth"
