"""A copy of the workflow in a temporary folder, a small study of real files, and Snakemake run as a user runs it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from dry_runs import DryRun, dry_run
from PIL import Image

REPOSITORY = Path(__file__).parents[2]
FORKED_JOBS = Path(__file__).with_name("forked_jobs.py")
COPIED = ("Snakefile", "rules", "workflow_scripts", "iqadistill", "envs", "profiles", "studies", "config.yaml")


class Workflow:
    """The workflow's files copied to a folder.

    Attributes:
        folder: The folder, which is also the working directory of every run.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        for name in COPIED:
            source = REPOSITORY / name
            if source.is_dir():
                shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, folder / name)

    def run(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess:
        """Start snakemake as a process that uses the package of this copy; stdout holds standard error too.

        Args:
            arguments: Arguments of the command line.
            check: Whether a run that fails also fails the test, with the end of its output.
        """
        return self._run("-m", "snakemake", *arguments, check=check)

    def run_forked(self, *arguments: str) -> None:
        """Run a study of many small jobs: as `run`, but jobs are forked from a process that has imported PyTorch."""
        self._run(FORKED_JOBS, *arguments, check=True)

    def _run(self, *command: str | Path, check: bool) -> subprocess.CompletedProcess:
        done = subprocess.run(
            [sys.executable, *command],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(self.folder)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if check and done.returncode:
            pytest.fail(f"{' '.join(map(str, command))} failed:\n{done.stdout[-6000:]}")
        return done

    def dry_run(self, *arguments: str, check: bool = True) -> DryRun:
        """Plan a run inside the test process, which takes a tenth of the time of a process.

        The package is the repository's, not the copy's: after an edit of the copied package or its data files, use
        `run("-n", ...)` instead.

        Args:
            arguments: Arguments of the command line but for --dry-run.
            check: Whether a dry run that fails also fails the test, with its messages.
        """
        planned = dry_run(self.folder, *arguments)
        if check and not planned.succeeded:
            pytest.fail(f"snakemake --dry-run {' '.join(arguments)} failed:\n{planned.text[-6000:]}")
        return planned

    def study(self, name: str = "small", **changes) -> str:
        """Write a small study on the folder's images and return its path."""
        study = {
            "name": name,
            "device": "cpu",
            "datasets": {"own": {"source": "images", "root": "data"}},
            "samplers": {"grid_crops": {"count": 6, "size": 32}},
            "encoders": {"tiny": {"model": "test_resnet", "weights": "none"}},
            "selectors": {"residual": {"n_components": 3}},
            "keep": [0.5, 1.0],
            "students": {"mlp": {"hidden": [8], "dropout": [0.0], "epochs": 3}},
            "evaluation": {"splits": 3, "bootstrap": 100},
            "experiments": [{"figure": "rate_sweep"}, {"figure": "overlap", "keep": [0.5]}],
            **changes,
        }
        (self.folder / f"{name}.yaml").write_text(yaml.safe_dump(study))
        return f"{name}.yaml"

    def write_images(self, count: int = 15) -> None:
        """Write scored images: noise over a gradient, the more noise the lower the score."""
        data = self.folder / "data"
        data.mkdir()
        generator = np.random.default_rng(0)
        rows = ["image,mos"]
        for index in range(count):
            gradient = np.linspace(0, 200, 96)[None, :, None] + np.zeros((80, 1, 3))
            noisy = gradient + generator.normal(0, 4 * index, gradient.shape)
            Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)).save(data / f"{index:02}.png")
            rows.append(f"{index:02}.png,{90 - 5 * index}")
        (data / "images.csv").write_text("\n".join(rows) + "\n")


@pytest.fixture
def workflow(tmp_path):
    """A fresh copy of the workflow."""
    return Workflow(tmp_path)


@pytest.fixture(scope="session")
def shipped(tmp_path_factory):
    """A copy of the workflow as it is shipped, for dry runs; tests leave it as it is."""
    return Workflow(tmp_path_factory.mktemp("shipped"))


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """The small study, run once to its report.

    Tests that use it carry `pytest.mark.xdist_group("finished")`, so that one worker runs them all and the study is run
    once.
    """
    workflow = Workflow(tmp_path_factory.mktemp("finished"))
    workflow.write_images()
    workflow.run("--cores", "2", "--configfile", workflow.study())
    return workflow
