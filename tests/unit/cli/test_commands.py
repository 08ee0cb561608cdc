"""The commands `iqadistill datasets` and `iqadistill doctor`."""

import json
import re
import shutil

import pytest
import yaml

from iqadistill.cli import main
from iqadistill.datasets.registry import list_datasets
from iqadistill.doctor import software


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Empty working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def rows(text):
    """First four columns of the table, by name."""
    return {line.split("  ")[0]: [cell.strip() for cell in line.split("  ") if cell][:4] for line in text.splitlines()}


def test_datasets_lists_every_dataset_within_100_columns(capsys):
    assert main(["datasets"]) == 0
    printed = capsys.readouterr().out
    assert set(list_datasets()) <= set(rows(printed))
    assert max(map(len, printed.splitlines())) <= 100


def test_datasets_status_reflects_files_on_disk(capsys, folder):
    for path in ("kadid10k/images", "kadid10k/dmos.csv", "tid2013", "cviq"):
        (folder / "data" / path).mkdir(parents=True)
    (folder / "data/tid2013/tid2013.rar.part").touch()
    (folder / "data/cviq/CVIQ.rar").touch()
    main(["datasets"])
    table = rows(capsys.readouterr().out)
    assert table["kadid10k"] == ["kadid10k", "flat", "open", "ready"]
    assert table["tid2013"][3] == "partial download"
    assert table["cviq"] == ["cviq", "sphere", "manual", "archive present"]
    assert table["mvaqd"] == ["mvaqd", "sphere", "form", "missing"]
    assert table["gallery360"] == ["gallery360", "sphere", "rendered", "ready"]
    main(["datasets", "--data", "other"])
    assert rows(capsys.readouterr().out)["kadid10k"][3] == "missing"


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("datasets --data a.yaml", "--data a.yaml: is a file; give a folder"),
        ("choose folder --count 1 --rated folder", "--rated folder: is a folder; give a file"),
        ("choose folder --count 1 --contents folder", "--contents folder: is a folder; give a file"),
        ("cost --configfile a.yaml --tflops 30", "a.yaml: samplers: expected a mapping"),
        ("cost --table folder", "folder: cannot be read (Is a directory)"),
        ("cost --table a.yaml --readme none.md", "--readme none.md: no such file"),
        ("prune a.yaml", "a.yaml: samplers: expected a mapping"),
    ],
)
def test_path_of_another_kind_is_one_sentence(capsys, folder, command, message):
    (folder / "folder").mkdir()
    (folder / "a.yaml").write_text("name: a\n")
    assert main(command.split()) == 2
    assert capsys.readouterr().err.startswith(f"error: {message}")


def test_datasets_json_has_the_full_record(capsys):
    main(["datasets", "--json"])
    entries = {entry["name"]: entry for entry in json.loads(capsys.readouterr().out)}
    assert entries["div2k"]["archives"][1]["bytes"] == 448993893 and entries["div2k"]["status"] == "missing"
    assert entries["cviq"]["citation"].startswith("Sun")


def test_user_dataset_is_listed_and_invalid_entry_is_refused(capsys, folder):
    entry = {"title": "Ours", "kind": "flat", "origin": "folder", "score": {}}
    (folder / "datasets.yaml").write_text(yaml.safe_dump({"lab": entry}))
    main(["datasets"])
    assert rows(capsys.readouterr().out)["lab"] == ["lab", "flat", "your own", "missing"]
    (folder / "datasets.yaml").write_text(yaml.safe_dump({"lab": entry | {"knid": "flat"}}))
    assert main(["datasets"]) == main(["doctor"]) == 2
    assert re.search(r"datasets\.yaml.*lab\.knid.*'kind'", capsys.readouterr().err)


def test_doctor_finds_no_problem(capsys):
    assert main(["doctor"]) == 0
    printed = capsys.readouterr().out
    lines = printed.splitlines()
    headings = [line for line in lines[:-1] if line and not line.startswith(" ")]
    assert headings == ["Software", "Machine", "Cards", "Folders", "Programs", "Cluster", "Datasets"]
    assert set(re.findall(r"^  (\w+)", printed, flags=re.MULTILINE)) <= {"ok", "warning"}
    assert all(word in printed for word in ("Python", "torch", "snakemake", "device", "disk"))
    assert max(map(len, lines)) <= 100 and lines[-1].startswith("0 problems and ")


def test_doctor_prints_json(capsys):
    assert main(["doctor", "--json"]) == 0
    findings = json.loads(capsys.readouterr().out)
    python = next(finding for finding in findings if finding["subject"] == "Python")
    assert python["group"] == "Software" and python["state"] == "ok" and " on " in python["text"]


@pytest.mark.slow
def test_doctor_checks_a_study_and_its_profile(capsys, folder):
    study = {
        "name": "mine",
        "datasets": {"mine": {"source": "images"}},
        "samplers": {"random_crops": {}},
        "encoders": {"lite0": {"model": "tf_efficientnet_lite0", "weights": "packaged"}},
        "selectors": {},
        "keep": [1.0],
        "students": {"mlp": {}},
        "experiments": [{"figure": "students", "students": ["mlp"]}],
    }
    (folder / "study.yaml").write_text(yaml.safe_dump(study))
    assert main(["doctor", "--configfile", "study.yaml"]) == 1
    printed = capsys.readouterr().out
    assert re.search(r"^Study mine\n.*^  problem  images +data/mine is absent", printed, re.MULTILINE | re.DOTALL)
    assert "Datasets" not in printed and printed.endswith("warning.\n" if "1 warning" in printed else "warnings.\n")
    (folder / "profile").mkdir()
    (folder / "profile/config.yaml").write_text("executor: no-such")
    assert main(["doctor", "--workflow-profile", "profile"]) == 1
    printed = capsys.readouterr().out
    assert "Cards" not in printed and "snakemake-executor-plugin-no-such" in printed
    assert main(["doctor", "--workflow-profile", "nosuch"]) == main(["doctor", "--configfile", "nosuch.yaml"]) == 2


def test_doctor_warns_of_missing_unpackers_and_reports_wrong_packages(capsys, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert main(["doctor"]) == 0
    assert re.search(r"^  warning .*zip and tar", capsys.readouterr().out, flags=re.MULTILINE)
    monkeypatch.setattr(
        software, "requires", lambda name: ["numpy>=99", "nosuchpackage>=1", "pytest>=99; extra == 'test'"]
    )
    assert main(["doctor"]) == 1
    printed = " ".join(capsys.readouterr().out.split())
    assert "pip install 'numpy>=99'" in printed
    assert "nosuchpackage" in printed and "pytest>=99" not in printed


@pytest.mark.parametrize(("free", "state", "status"), [(10**9, "problem", 1), (10**10, "warning", 0)])
def test_doctor_checks_free_disk_space(capsys, monkeypatch, free, state, status):
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: shutil._ntuple_diskusage(free, 0, free))
    assert main(["doctor"]) == status
    assert re.search(
        rf"^  {state} +disk .*{free / 1e9:.1f} GB", capsys.readouterr().out, flags=re.MULTILINE | re.DOTALL
    )


def test_unknown_command_is_refused(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["datasetz"])
    assert caught.value.code == 2 and "datasets" in capsys.readouterr().err
