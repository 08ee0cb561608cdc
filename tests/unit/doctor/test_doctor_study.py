import copy
import shutil
import socket
from pathlib import Path

import pytest
import yaml
from huggingface_hub import constants as hub
from PIL import Image

from iqadistill import limits
from iqadistill.config import Plan, check_study
from iqadistill.doctor import downloads, machine, study
from iqadistill.doctor.study import check_study_needs, compare
from iqadistill.evaluation.scoring_time import write_scoring_time
from iqadistill.pricing.study_work import StudyWork
from iqadistill.pricing.work import Work

RAW = {
    "name": "small",
    "datasets": {"gallery2d": {}},
    "samplers": {"random_crops": {"count": 4, "size": 64}},
    "encoders": {"tiny": {"model": "test_resnet", "weights": "none"}},
    "selectors": {},
    "keep": [1.0],
    "students": {"mlp": {"hidden": [8], "dropout": [0.0]}},
    "experiments": [{"figure": "students", "students": ["mlp"]}],
}


@pytest.fixture(autouse=True)
def disk(monkeypatch):
    """A function that sets the free bytes of the disk; much is free at first."""

    def free(size):
        monkeypatch.setattr(shutil, "disk_usage", lambda folder: shutil._ntuple_diskusage(size, 0, size))

    free(10**13)
    return free


def plan_of(**changed):
    return Plan(check_study(copy.deepcopy(RAW | changed)))


def found(plan, **given):
    """Texts of the findings on a study, by state and subject."""
    texts = {}
    for finding in check_study_needs(plan, **given):
        texts.setdefault((finding.state, finding.subject), []).append(finding.text)
    return {where: "\n".join(lines) for where, lines in texts.items()}


def users_own(entries):
    """Entries of datasets.yaml."""
    Path("datasets.yaml").write_text(yaml.safe_dump(entries))


def archive(**changed):
    """An entry of datasets.yaml that comes as an archive."""
    urls = changed.pop("urls", ["https://localhost:1/lab.zip"])
    entry = {"title": "Lab", "kind": "flat", "origin": "archive", "score": {}, "distorted": 100, "references": 5}
    return entry | {"archives": [{"name": "lab.zip", "bytes": 10**9, "urls": urls}]} | changed


def test_estimates_count_as_uncertain():
    assert [compare(100, there) for there in (60, 100, 140, 160)] == ["problem", "warning", "warning", "ok"]


def test_room_that_a_study_takes(disk):
    plan = plan_of()
    assert set(found(plan)) == {("ok", "jobs"), ("ok", "disk"), ("ok", "memory")}
    disk(10**8)
    assert "estimated for results, 0.1 GB free; free some" in found(plan)["problem", "disk"]
    assert not any(subject == "disk" for _, subject in found(plan, stored=False))
    estimate = sum(work.disk for _, work in study.Needs(plan).work)
    disk(int(estimate))
    assert "too low by a factor of 1.5" in found(plan)["warning", "disk"]


def test_what_is_done_takes_no_room(disk):
    plan = plan_of()
    jobs = len(plan.jobs)
    for job in plan.jobs.values():
        if job.rule != "render_report":
            Path(job.output).parent.mkdir(parents=True, exist_ok=True)
            Path(job.output).touch()
    disk(10**8)
    assert found(plan)["ok", "jobs"] == f"{jobs}, of which {jobs - 1} are done" and ("problem", "disk") not in found(
        plan
    )


def test_each_disk_is_compared_with_what_comes_onto_it(folder, monkeypatch):
    users_own({"lab": archive(distorted=10, references=1)})
    (folder / "data").mkdir()
    monkeypatch.setattr(study, "existing", lambda path: Path("/proc" if "data" in str(path) else "/"))
    sizes = {Path("/proc"): 10**8, Path("/"): 10**13}
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(0, 0, sizes[path]))
    texts = found(plan_of(datasets={"lab": {}}))
    assert "2.0 GB estimated for data/lab, 0.1 GB free" in texts["problem", "disk"]
    assert "estimated for results, 10,000.0 GB free" in texts["ok", "disk"]


def test_memory_of_the_largest_job_and_of_jobs_side_by_side(monkeypatch):
    plan = plan_of()
    sizes = sorted((work.memory for _, work in study.Needs(plan).work), reverse=True)
    monkeypatch.setattr(limits, "visible_cores", lambda: 3)
    for memory, state in ((sizes[0] / 2, "problem"), (sizes[0], "warning"), (sum(sizes[:3]), "ok")):
        monkeypatch.setattr(limits, "usable_memory", lambda memory=memory: memory)
        assert (state, "memory") in found(plan)
    monkeypatch.setattr(limits, "usable_memory", lambda: sum(sizes[:2]))
    assert found(plan)["warning", "memory"].endswith("may start together; give --cores 2")
    assert ("ok", "memory") in found(plan, card=1e12)
    assert not any(subject == "memory" for _, subject in found(plan, here=False))


def test_own_images_that_are_absent(folder):
    plan = plan_of(datasets={"mine": {"source": "images", "root": "photos"}})
    assert (
        found(plan)["problem", "images"]
        == "photos is absent or holds no image; put the images there, or set datasets.mine.root"
    )
    (folder / "photos").mkdir()
    Image.new("RGB", (80, 80)).save("photos/a.png")
    assert "photos/images.csv is absent" in found(plan)["problem", "images"]
    (folder / "photos/images.csv").write_text("image,mos\na.png,3\n")
    assert ("problem", "images") not in found(plan)


def test_predictions_that_are_absent(folder):
    students = {"tool": {"model": "external", "files": {"gallery2d": "tool.csv"}}, "mlp": {}}
    shown = ["tool", "mlp"]
    plan = plan_of(students=students, experiments=[{"figure": "students", "students": shown}])
    assert "tool.csv is absent" in found(plan)["problem", "files"]
    (folder / "tool.csv").touch()
    assert ("problem", "files") not in found(plan)


def test_dataset_that_must_be_requested(folder):
    plan = plan_of(datasets={"live": {}})
    assert "live must be requested at https://live.ece" in found(plan)["problem", "dataset"]
    assert "put its files into data/live" in found(plan)["problem", "dataset"]
    (folder / "data/live").mkdir(parents=True)
    (folder / "data/live/databaserelease2.zip").touch()
    assert ("problem", "dataset") not in found(plan)


def test_matlab_labels_need_locks_between_processes(monkeypatch):
    monkeypatch.setattr(study, "shares_locks", lambda: False)
    assert "MATLAB" in found(plan_of(datasets={"live": {}}))["problem", "labels"]
    assert ("problem", "labels") not in found(plan_of(datasets={"csiq": {"url": "file:///nosuch"}}))
    assert study.reads_matlab("oiqa") and not study.reads_matlab("kadid10k") and machine.shares_locks()


def test_archive_that_no_program_here_unpacks(program, folder):
    plan = plan_of(datasets={"tid2013": {"url": "file:///nosuch"}})
    assert "tid2013: no program here unpacks tid2013.rar" in found(plan)["problem", "archives"]
    program("bsdtar")
    assert ("problem", "archives") not in found(plan)


def test_root_that_is_no_folder(folder):
    users_own({"lab": archive()})
    (folder / "lab").touch()
    assert "lab is a file" in found(plan_of(datasets={"lab": {"root": "lab"}}))["problem", "root"]


def test_checksums_are_kept_in_the_working_folder(folder):
    users_own({"lab": archive(urls=[f"file://{folder}"])})
    (folder / "datasets.lock").touch()
    plan = plan_of(datasets={"lab": {}})
    assert "datasets.lock is a file" in found(plan)["problem", "checksums"]
    assert ("problem", "checksums") not in found(plan_of())


def test_results_that_cannot_be_read(common_user):
    Path("results").mkdir(mode=0)
    assert ("ok", "jobs") in found(plan_of())


def test_servers_that_do_not_answer():
    with socket.socket() as closed:
        closed.bind(("localhost", 0))
        nowhere = f"http://localhost:{closed.getsockname()[1]}"
        users_own({"lab": archive(urls=[f"{nowhere}/lab.zip"]), "other": archive(urls=[f"{nowhere}/other.zip"])})
        texts = found(plan_of(datasets={"lab": {}, "other": {}}))
    assert texts["ok", "download"] == "2.0 GB for lab, other"
    assert texts["warning", "server"].startswith(f"{nowhere.removeprefix('http://')} cannot be reached within 3 s; run")


def test_files_that_are_there_are_not_downloaded_again(folder):
    one, two = ({"name": f"{name}.zip", "bytes": 10**9, "urls": [f"file://{folder}/{name}"]} for name in ("one", "two"))
    users_own({"lab": archive() | {"archives": [one, two]}})
    plan = plan_of(datasets={"lab": {}})
    (folder / "two").touch()
    assert found(plan)["ok", "download"] == "2.0 GB for lab"
    assert f"file://{folder}/one is absent" in found(plan)["warning", "server"]
    (folder / "data/lab").mkdir(parents=True)
    with open(folder / "data/lab/one.zip", "wb") as file:
        file.truncate(10**9)
    texts = found(plan)
    assert texts["ok", "download"] == "1.0 GB for lab" and ("warning", "server") not in texts
    assert "3.0 GB estimated for data/lab, results" in texts["ok", "disk"]  # of two archives, and two unpacked
    (folder / "data/lab/two.zip").touch()
    assert ("ok", "download") not in found(plan)
    (folder / "data/lab/images.csv").touch()
    assert found(plan)["ok", "datasets"] == "lab is there"


def test_archive_whose_images_are_not_known_is_no_problem():
    entry = archive()
    users_own({"lab": {key: value for key, value in entry.items() if key not in ("distorted", "references")}})
    texts = found(plan_of(datasets={"lab": {}}))
    assert not any(state == "problem" for state, _ in texts) and texts["ok", "disk"].endswith("lab not counted")


def test_mirrors_on_disk(folder):
    users_own({"lab": archive()})
    plan = plan_of(datasets={"lab": {"url": f"file://{folder}/a%20mirror"}})
    assert "is absent; run where" in found(plan)["warning", "server"]
    (folder / "a mirror").mkdir()
    assert "a%20mirror/lab.zip is absent" in found(plan)["warning", "server"]
    (folder / "a mirror/lab.zip").touch()
    assert ("warning", "server") not in found(plan)
    assert ("warning", "server") not in found(plan_of(datasets={"lab": {"url": f"file://{folder}/a%20mirror/lab.zip"}}))


def test_addresses_that_hold_no_file(mirror):
    assert downloads.failure(mirror.url("nosuch.zip")) == "answers with status 404"


def test_weights_of_the_hub(folder, monkeypatch):
    plan = plan_of(
        encoders={"tiny": {"model": "test_resnet", "weights": "hub"}},
    )
    monkeypatch.setattr(hub, "HF_HUB_CACHE", str(folder / "hub"))
    monkeypatch.setattr(hub, "ENDPOINT", "http://localhost:1")
    assert "http://localhost:1 cannot be reached" in found(plan)["warning", "weights"]
    monkeypatch.setattr(hub, "HF_HUB_OFFLINE", True)
    assert "HF_HUB_OFFLINE is set" in found(plan)["warning", "weights"]
    done = Path(next(job.output for job in plan.jobs.values() if job.rule == "embed_patches"))
    done.parent.mkdir(parents=True)
    done.touch()
    assert ("warning", "weights") not in found(plan)
    done.unlink()
    (folder / "hub").touch()
    assert "set HF_HOME" in found(plan)["warning", "weights"]


def test_results_of_an_older_layout():
    Path("results/train_network").mkdir(parents=True)
    assert "older layout" in found(plan_of())["problem", "results"]


def test_tables_of_another_number_of_shards(folder):
    (table,) = (job.output for job in plan_of().jobs.values() if job.rule == "embed_patches")
    Path(table).parent.mkdir(parents=True)
    Path(table).touch()
    write_scoring_time(Path(table).with_suffix(".json"), 2.0, images=3, patches=24)
    assert not any(subject == "shards" for _, subject in found(plan_of()))
    text = found(plan_of(datasets={"gallery2d": {"shards": 3}}))["warning", "shards"]
    assert table in text and "shards: 1, but datasets.gallery2d has shards: 3" in text


def test_temporary_files_of_trainings(disk, monkeypatch):
    plan = plan_of()
    assert ("ok", "temporary") not in found(plan)
    monkeypatch.setattr(StudyWork, "of", lambda self, job: Work(temporary=5e9 * (job.rule == "train_mlps")))
    assert "5.0 GB estimated for the temporary file" in found(plan)["ok", "temporary"]
    disk(10**9)
    assert "set TMPDIR to a folder on a larger disk" in found(plan)["problem", "temporary"]
    assert ("problem", "temporary") not in found(plan, here=False)
