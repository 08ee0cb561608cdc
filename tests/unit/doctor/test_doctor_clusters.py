from pathlib import Path

import pytest
import yaml

from iqadistill.doctor import clusters
from iqadistill.errors import InputError

REPOSITORY = Path(__file__).parents[3]


def found(profile):
    """Subjects and texts of the findings on a profile, by state."""
    states = {"ok": {}, "warning": {}, "problem": {}}
    for finding in clusters.check_profile(profile):
        states[finding.state][finding.subject] = finding.text
    return states


def commands():
    return {finding.subject: (finding.state, finding.text) for finding in clusters.check_commands()}


def test_machine_without_cluster(program):
    assert commands() == {"scheduler": ("ok", "no commands of a cluster; jobs run on this machine")}


def test_nodes_of_a_cluster_are_shown(program):
    program("sbatch")
    lines = (
        "main*|up|idle|64|UNLIMITED|256000|2-00:00:00|gpu:a100:4(S:0-1)",
        "big|up|idle|128|UNLIMITED|1|infinite|(null)",
    )
    program("sinfo", "; ".join(f"echo '{line}'" for line in lines))
    assert commands()["scheduler"][1].startswith("SLURM (sbatch)")
    assert commands()["SLURM"] == (
        "ok",
        "nodes of main (default): 64 cores, 256 GB, 4 cards; big: 128 cores, 0 cards",
    )


def test_cluster_that_does_not_answer(program):
    for name in ("sbatch", "squeue", "scancel"):
        program(name)
    program("sinfo", "echo 'Unable to contact slurm controller' >&2; exit 1")
    assert commands()["SLURM"][0] == "warning" and "Unable to contact" in commands()["SLURM"][1]
    assert "Unable to contact" in found({"executor": "slurm"})["problem"]["SLURM"]
    program("sinfo")
    assert commands()["SLURM"][0] == "warning" and "lists no partition" in commands()["SLURM"][1]


def test_entries_of_a_profile_that_no_node_can_meet(program):
    kinds = ("main*|up|idle|2", "big|up|idle|16")
    program("sinfo", "; ".join(f"echo '{kind}|UNLIMITED|8000|infinite|(null)'" for kind in kinds))
    shipped = clusters.read_profile(REPOSITORY / "profiles/slurm")
    assert "asks for 8 cores, the nodes of partition main have 2" in found(shipped)["problem"]["profile"]
    resources = {"default-resources": ["mem_mb=2000", "slurm_partition=big"]}
    assert "profile" not in found(shipped | resources)["problem"]
    resources = {"default-resources": {"slurm_partition": "gpu"}, "set-threads": None}
    text = found(shipped | resources)["problem"]["profile"]
    assert text.startswith("a job names partition gpu, which does not exist") and "big, main" in text


def test_slurm_profile_on_another_machine(program):
    assert "sbatch, squeue, scancel cannot be run here" in found({"executor": "slurm"})["problem"]["commands"]


def test_plugins_of_a_profile(program):
    missing = found({"executor": "no-such", "default-storage-provider": "nosuch"})["problem"]
    assert "pip install snakemake-executor-plugin-no-such" in missing["executor"]
    assert "pip install snakemake-storage-plugin-nosuch" in missing["storage"]
    assert found({"executor": None}) == found({"jobs": 4})
    assert found({"jobs": 4}) == {"ok": {"executor": "local: jobs run on this machine"}, "warning": {}, "problem": {}}


def test_extras_that_bring_plugins(program, monkeypatch):
    monkeypatch.setattr(clusters.importlib.util, "find_spec", lambda name: None)
    for executor in ("slurm", "cluster-generic", "kubernetes"):
        assert f"pip install 'iqadistill[{executor}]'" in found({"executor": executor})["problem"]["executor"]


def test_shipped_profiles(program, monkeypatch):
    profiles = {
        name: clusters.read_profile(REPOSITORY / "profiles" / name) for name in ("kubernetes", "cluster-generic")
    }
    monkeypatch.chdir(REPOSITORY)
    monkeypatch.setenv("KUBECONFIG", "/no/such/file")
    problems = found(profiles["kubernetes"])["problem"]
    assert "REGISTRY/" in problems["names"] and "s3://BUCKET" in problems["names"]
    assert "/no/such/file" in problems["kubernetes"]
    assert found(profiles["cluster-generic"])["problem"]["commands"].startswith("qdel cannot be run")
    program("qdel")
    assert "commands" not in found(profiles["cluster-generic"])["problem"]


def test_configuration_of_kubernetes(program, folder, monkeypatch):
    (folder / "config").touch()
    monkeypatch.setenv("KUBECONFIG", f"/no/such/file:{folder}/config")
    assert "kubernetes" not in found({"executor": "kubernetes"})["problem"]


def test_profile_that_is_none_is_refused(folder):
    with pytest.raises(InputError, match=r"nosuch: expected a folder with a file config\.yaml"):
        clusters.read_profile(Path("nosuch"))
    (folder / "config.yaml").write_text(yaml.safe_dump(["slurm"]))
    assert clusters.read_profile(folder) == {}
