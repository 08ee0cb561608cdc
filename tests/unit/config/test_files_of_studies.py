"""Files that a study names are inputs of the jobs that read them, and a replaced one changes these jobs alone."""

import copy
import os

import pytest

from iqadistill.config import Plan, check_study

FILES = {
    ("samplers", "sp", "scanpaths"): {"sample_patches"},
    ("encoders", "tiny", "weights"): {"embed_patches"},
    ("teachers", "cnn", "weights"): {"pretrain_teacher"},
    ("students", "rkiqt", "weights"): {"train_student"},
    ("students", "rkiqt", "stem_weights"): {"train_student"},
}


@pytest.fixture
def raw(tmp_path, monkeypatch):
    """A study with a file of scanpaths, and one of weights for its encoder, teacher, student and stem each."""
    monkeypatch.chdir(tmp_path)
    raw = {
        "name": "small",
        "datasets": {"gallery2d": {}, "gallery360": {}},
        "samplers": {
            "random_crops": {"count": 8, "size": 32},
            "sp": {"count": 8, "size": 32},
            "lat": {"count": 8, "size": 32},
        },
        "encoders": {"tiny": {"model": "test_resnet"}, "other": {"model": "test_resnet", "weights": "none"}},
        "selectors": {"residual": {"n_components": 4}},
        "keep": [0.5, 1.0],
        "teachers": {"cnn": {"model": "regressor", "backbone": "test_resnet"}},
        "students": {
            "mlp": {},
            "adtrs": {"backbone": "test_resnet", "weights": "hub", "splits": 1},
            "rkiqt": {"backbone": "test_vit", "stem": "test_resnet", "conv": "cnn", "splits": 1},
        },
        "experiments": [
            {"figure": "rate_sweep"},
            {"figure": "students", "datasets": ["gallery2d"], "students": ["adtrs", "rkiqt"]},
        ],
    }
    for section, entry, key in FILES:
        raw[section][entry][key] = f"{entry}_{key}.pth"
        (tmp_path / f"{entry}_{key}.pth").write_bytes(b"weights")
    return raw


def jobs_of(raw):
    return Plan(check_study(copy.deepcopy(raw))).jobs


def entry_of(job):
    """The sampler, encoder, teacher or student that a job runs."""
    key = {"sample_patches": "sampler", "embed_patches": "encoder", "pretrain_teacher": "teacher"}.get(
        job.rule, "student"
    )
    return job.names[key]


def test_files_of_weights_are_inputs_of_the_jobs_that_read_them_alone(raw):
    jobs = jobs_of(raw)
    given = {
        (job.rule, entry_of(job)): job.inputs["weights_file"] for job in jobs.values() if "weights_file" in job.inputs
    }
    assert given == {
        ("embed_patches", "tiny"): ["tiny_weights.pth"],
        ("embed_patches", "other"): [],
        ("pretrain_teacher", "cnn"): ["cnn_weights.pth"],
        ("train_student", "rkiqt"): ["rkiqt_weights.pth", "rkiqt_stem_weights.pth"],
        ("train_student", "adtrs"): [],
    }
    others = [job for job in jobs.values() if "weights_file" not in job.inputs]
    assert not any("_weights.pth" in str(job.inputs) for job in others)


@pytest.mark.parametrize("file", FILES, ids=".".join)
@pytest.mark.parametrize("older", [False, True])
def test_replaced_file_changes_the_params_of_the_jobs_that_read_it_alone(raw, tmp_path, file, older):
    before, (_, entry, key) = jobs_of(raw), file
    replaced = tmp_path / f"{entry}_{key}.pth"
    replaced.write_bytes(b"others!")
    if older:
        os.utime(replaced, (0, 0))  # as downloads have the time of the server
    after = jobs_of(raw)
    assert before.keys() == after.keys()
    changed = [job for output, job in after.items() if job != before[output]]
    assert {job.rule for job in changed} == FILES[file] and {entry_of(job) for job in changed} == {entry}


def test_missing_file_is_still_an_input(raw, tmp_path):
    """Snakemake refuses it by its name."""
    (tmp_path / "cnn_weights.pth").unlink()
    jobs = [job for job in jobs_of(raw).values() if job.rule == "pretrain_teacher"]
    assert jobs and all(job.inputs["weights_file"] == ["cnn_weights.pth"] for job in jobs)


def test_weights_of_a_stem_that_is_not_there_are_not_read(raw):
    raw["students"]["rkiqt"]["stem"] = None
    jobs = [job for job in jobs_of(raw).values() if job.rule == "train_student" and job.names["student"] == "rkiqt"]
    assert jobs and all(job.inputs["weights_file"] == ["rkiqt_weights.pth"] for job in jobs)
