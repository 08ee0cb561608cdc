"""A copy of the workflow in a folder of its own, a small study of real files, and Snakemake run as a user runs it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

REPOSITORY = Path(__file__).parents[2]
COPIED = ("Snakefile", "rules", "workflow_scripts", "iqadistill", "envs", "profiles", "studies", "config.yaml")


class Workflow:
    """The workflow's files copied to a folder, run with the package of that copy."""

    def __init__(self, folder: Path):
        self.folder = folder
        for name in COPIED:
            source = REPOSITORY / name
            if source.is_dir():
                shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, folder / name)

    def run(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess:
        """Run snakemake and return what it printed, standard output and error together."""
        done = subprocess.run(
            [sys.executable, "-m", "snakemake", *arguments],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(self.folder)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if check and done.returncode:
            pytest.fail(f"snakemake {' '.join(arguments)} failed:\n{done.stdout[-6000:]}")
        return done

    def study(self, name: str = "small", **changes) -> str:
        """Write a small study on the folder's own pictures and return its path."""
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

    def pictures(self, count: int = 15) -> None:
        """Write scored pictures: noise over a gradient, the more noise the lower the score."""
        data = self.folder / "data"
        data.mkdir()
        generator = np.random.default_rng(0)
        rows = ["image,mos"]
        for number in range(count):
            gradient = np.linspace(0, 200, 96)[None, :, None] + np.zeros((80, 1, 3))
            noisy = gradient + generator.normal(0, 4 * number, gradient.shape)
            Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)).save(data / f"{number:02}.png")
            rows.append(f"{number:02}.png,{90 - 5 * number}")
        (data / "images.csv").write_text("\n".join(rows) + "\n")


@pytest.fixture
def workflow(tmp_path):
    return Workflow(tmp_path)


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """The small study, run once to its report."""
    workflow = Workflow(tmp_path_factory.mktemp("finished"))
    workflow.pictures()
    workflow.run("--cores", "2", "--configfile", workflow.study())
    return workflow
