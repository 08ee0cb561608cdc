"""`iqadistill prune` lists and deletes the results that no study uses, and nothing else."""

import pytest
import yaml

from iqadistill.cli import main
from iqadistill.config import Plan, check_study

STUDY = {
    "name": "small",
    "datasets": {"own": {"source": "images", "root": "data"}, "gallery2d": {}},
    "samplers": {"grid_crops": {"count": 6, "size": 32}},
    "encoders": {"tiny": {"model": "test_resnet", "weights": "none"}},
    "selectors": {"residual": {"n_components": 3}},
    "keep": [0.5, 1.0],
    "students": {"mlp": {"hidden": [8], "dropout": [0.0], "epochs": 3}},
    "experiments": [{"figure": "rate_sweep"}],
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with a study and a file for each of its results."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(STUDY))
    for job in Plan(check_study(STUDY)).jobs.values():
        for path in (job.output, job.log, job.benchmark):
            write(tmp_path / path)
    write(tmp_path / "results/studies/small/figures/rate_sweep.png")
    write(tmp_path / "results/.gitkeep")
    return tmp_path


def write(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("x" * 10)


def files(folder):
    """Relative paths of all files below a folder."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_prune_keeps_results_of_a_study(folder, capsys):
    assert main(["prune"]) == 0
    assert "small.yaml" in capsys.readouterr().out
    before = files(folder)
    assert main(["prune", "--delete"]) == 0
    assert files(folder) == before


def test_prune_lists_and_deletes_unused_results(folder, capsys):
    before = files(folder)
    changed = {**STUDY, "samplers": {"grid_crops": {"count": 4, "size": 32}}}
    stale = [job for job in Plan(check_study(changed)).jobs.values() if job.rule == "embed_patches"]
    unused = [
        *(path for job in stale for path in (job.output, job.log, job.benchmark)),
        "results/train_mlps/gone/own/grid_crops/tiny/mlp.history.parquet",
        "results/studies/gone/report/index.html",
        "results/index_dataset/own.parquet",
        "results/train_network/gone/0.safetensors",
    ]
    for path in unused:
        write(folder / path)
    assert main(["prune", "small.yaml"]) == 0
    listed = capsys.readouterr().out
    for part in ("results/train_mlps/gone", "results/studies/gone", "results/index_dataset/own.parquet"):
        assert part in listed
    assert files(folder) == before | set(unused)
    assert main(["prune", "small.yaml", "--delete"]) == 0
    assert files(folder) == before
    assert not (folder / "results/train_network").exists()


def test_prune_lists_parts_that_were_left_of_a_finished_table(folder, capsys):
    study = {**STUDY, "datasets": {**STUDY["datasets"], "own": {"source": "images", "root": "data", "shards": 2}}}
    (folder / "small.yaml").write_text(yaml.safe_dump(study))
    assert main(["prune", "--delete"]) == 0  # the log of the single job that made the table
    part, _ = (job for job in Plan(check_study(study)).jobs.values() if job.rule == "embed_shard")
    for path in (part.output, part.file(".json"), part.log, part.benchmark):
        write(folder / path)
    before = files(folder)
    assert main(["prune", "--delete"]) == 0
    assert before - files(folder) == {part.output, part.file(".json")}
    write(folder / part.output)
    (folder / part.lasting).unlink()  # it waits for the other part
    assert main(["prune", "--delete"]) == 0
    assert (folder / part.output).exists()


def test_prune_keeps_checkpoints_of_killed_trainings(folder):
    write(folder / "results/checkpoints/train_student/0123/newest.safetensors")
    before = files(folder)
    main(["prune", "--delete"])
    assert files(folder) == before


def test_missing_study_file_is_refused(folder, capsys):
    assert main(["prune", "smal.yaml"]) == 2
    assert "smal.yaml" in capsys.readouterr().err
    (folder / "small.yaml").unlink()
    assert main(["prune"]) == 2
