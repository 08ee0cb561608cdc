"""Paths of a study: expanded, of the kind that its keys expect, and noticed where they are replaced."""

import copy
import os
import re

import pytest

from iqadistill.config import Plan, check_study
from iqadistill.config.checks.file_checks import check_files, check_working_folder
from iqadistill.errors import InputError

RAW = {
    "name": "small",
    "datasets": {"own": {"source": "images"}, "panoramas": {}},
    "samplers": {"random_crops": {"count": 8, "size": 32}, "sp": {"count": 8, "size": 32}},
    "encoders": {"tiny": {"model": "test_resnet", "weights": "none"}},
    "selectors": {"residual": {"n_components": 4}},
    "keep": [0.5, 1.0],
    "teachers": {"cnn": {"model": "regressor", "backbone": "test_resnet", "weights": "none"}},
    "students": {
        "mlp": {},
        "adtrs": {"backbone": "test_resnet", "weights": "none", "splits": 1},
        "rkiqt": {"backbone": "test_vit", "weights": "none", "stem": "test_resnet", "conv": "cnn", "splits": 1},
        "external": {"files": {"own": "other.csv"}},
    },
    "experiments": [
        {"figure": "rate_sweep"},
        {"figure": "students", "datasets": ["own"], "students": ["adtrs", "rkiqt", "external"]},
    ],
}
FOLDERS = ("datasets.own.root", "datasets.panoramas.root")
FILES = (
    "samplers.sp.scanpaths",
    "encoders.tiny.weights",
    "teachers.cnn.weights",
    "students.adtrs.weights",
    "students.rkiqt.weights",
    "students.rkiqt.stem_weights",
    "students.external.files.own",
)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Working folder below another one, with a file, a folder and a link that leads to itself."""
    (tmp_path / "run/a_folder").mkdir(parents=True)
    (tmp_path / "run/a_file").touch()
    (tmp_path / "run/loop").symlink_to("loop")
    monkeypatch.chdir(tmp_path / "run")
    return tmp_path / "run"


def study_with(key, path):
    """The study with a path under a dotted key."""
    raw = entry = copy.deepcopy(RAW)
    *parents, last = key.split(".")
    for parent in parents:
        entry = entry[parent]
    entry[last] = path
    return check_study(raw)


@pytest.mark.parametrize("key", [*FOLDERS, *FILES])
def test_every_path_is_expanded_and_checked_as_it_is_read(key, monkeypatch, folder):
    monkeypatch.setenv("HOME", str(folder))
    check_files(study_with(key, "~/missing"))
    settings = study_with(key, "~/missing")
    for name in key.split("."):
        settings = settings[name] if isinstance(settings, dict) else getattr(settings, name)
    assert settings == f"{folder}/missing"
    for path, message in (("", "character|empty"), ("x ", "begins or ends with a blank"), ("x" * 300, "longer than")):
        with pytest.raises(InputError, match=f"^{re.escape(key)}: .*({message})") as refusal:
            study_with(key, path)
        assert str(refusal.value).count("; ") == 1


@pytest.mark.parametrize("key", [*FOLDERS, *FILES])
def test_link_to_itself_and_path_below_a_file_are_refused(key):
    for path in ("loop", "loop/x"):
        with pytest.raises(InputError, match=f"^{re.escape(key)}: loop is a link that leads nowhere"):
            check_files(study_with(key, path))
    with pytest.raises(InputError, match=f"^{re.escape(key)}: a_file is a file, expected a folder"):
        check_files(study_with(key, "a_file/x"))


@pytest.mark.parametrize("key", FILES)
def test_folder_where_a_file_is_expected_is_refused(key):
    check_files(study_with(key, "a_file"))
    with pytest.raises(InputError, match=f"^{re.escape(key)}: a_folder is a folder, expected a file"):
        check_files(study_with(key, "a_folder"))


@pytest.mark.parametrize("key", FOLDERS)
def test_file_where_a_folder_is_expected_and_folder_of_the_run_are_refused(key):
    check_files(study_with(key, "a_folder"))
    with pytest.raises(InputError, match=f"^{re.escape(key)}: a_file is a file, expected a folder"):
        check_files(study_with(key, "a_file"))
    for path in (".", "..", "a_folder/..", "/", "results"):
        with pytest.raises(InputError, match=f"^{re.escape(key)}: {re.escape(path)} holds the results of this run"):
            check_files(study_with(key, path))


def test_folder_that_linked_results_lie_in_is_refused(folder, tmp_path):
    (tmp_path / "disk/results").mkdir(parents=True)
    (folder / "results").symlink_to(tmp_path / "disk/results")
    with pytest.raises(InputError, match="holds the results of this run"):
        check_files(study_with("datasets.own.root", str(tmp_path / "disk")))
    check_files(study_with("datasets.own.root", str(tmp_path / "disk/results/own")))


@pytest.mark.parametrize("section", ["datasets", "samplers", "encoders", "selectors", "teachers", "students"])
def test_name_that_no_file_can_have_is_refused(section):
    methods = {"selectors": {"method": "kcenter"}, "samplers": {"method": "grid_crops", "count": 8, "size": 32}}
    entry = methods.get(section) or next(iter(RAW[section].values()))
    with pytest.raises(InputError, match=rf"^{section}\.mlp_x.* at most 200 characters"):
        study_with(f"{section}.mlp_{'x' * 200}", entry)


def test_longest_name_fits_every_file():
    plan = Plan(study_with("datasets", {"x" * 200: {"source": "images"}, **RAW["datasets"]}))
    longest = max(len(part) for job in plan.jobs.values() for path in (job.output, job.log) for part in path.split("/"))
    assert longest < 240


def test_files_replaced_while_the_study_runs_are_named(folder):
    (folder / "data/own").mkdir(parents=True)
    (folder / "data/own/images.csv").write_text("image,mos\n")
    (folder / "w.pth").write_bytes(b"weights")
    plan = Plan(study_with("encoders.tiny.weights", "w.pth"))
    assert plan.jobs and plan.replaced_meanwhile() == ""
    (folder / "data/own/a.png").touch()
    assert plan.replaced_meanwhile().startswith("data/own: changed while the study ran")
    os.utime(folder / "w.pth", (0, 0))
    assert plan.replaced_meanwhile().startswith("data/own, w.pth: changed while the study ran")


def test_panorama_replaced_by_an_older_one_is_rendered_again(folder):
    (folder / "data/panoramas").mkdir(parents=True)
    (folder / "data/panoramas/a.png").write_bytes(b"panorama")

    def rendering():
        (job,) = (job for job in Plan(study_with("keep", [1.0])).jobs.values() if job.rule == "render_dataset")
        return job

    before = rendering()
    assert before.inputs == {"pristine": ["data/panoramas/a.png"]} and before == rendering()
    os.utime(folder / "data/panoramas/a.png", (0, 0))
    assert rendering() != before


def test_address_is_expanded_and_half_a_path_refused(folder, monkeypatch):
    monkeypatch.setenv("HOME", str(folder))
    study = study_with("datasets.kadid10k", {"url": "file://~/x.zip"})
    assert study.datasets["kadid10k"].url == f"file://{folder}/x.zip"
    with pytest.raises(InputError, match=r"^datasets\.kadid10k\.url: the address 'file://x\.zip' .* whole path"):
        study_with("datasets.kadid10k", {"url": "file://x.zip"})


def test_folder_that_cannot_be_written_to_is_refused(folder, monkeypatch):
    check_working_folder()
    monkeypatch.setattr(os, "access", lambda *_: False)  # as for any user but root
    with pytest.raises(InputError, match=f"^{folder}: this user cannot write .* --directory FOLDER"):
        check_working_folder()
    (folder / ".snakemake").symlink_to("a_folder")  # state and results on another disk
    check_working_folder()
