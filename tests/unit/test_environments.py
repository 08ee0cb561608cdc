import re
import subprocess
import sys
import tomllib
from importlib.metadata import distributions
from pathlib import Path

import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from iqadistill.figures.registry import FIGURES
from iqadistill.provenance import code_modules

REPOSITORY = Path(__file__).parents[2]
IMPORT_NAMES = {"scikit-image": "skimage", "scikit-learn": "sklearn"}
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]


def requirements(lines):
    """Package name to version requirement."""
    matches = (re.match(r"([A-Za-z0-9_.-]+)(?:\[.*\])?\s*(.*)", line) for line in lines)
    return {m[1].lower().replace("_", "-"): m[2] for m in matches}


def environment(name):
    """Conda packages of an environment, and version requirements of its pip packages."""
    *conda, last = yaml.safe_load((REPOSITORY / "envs" / name).read_text())["dependencies"]
    return conda, requirements(last["pip"])


def test_environments_match_project_dependencies():
    project = requirements(PROJECT["dependencies"])
    assert environment("torch.yaml")[1] == project
    assert environment("light.yaml")[1].items() <= project.items()
    for name in ("torch.yaml", "light.yaml"):
        assert f"python{PROJECT['requires-python']}" in environment(name)[0]


def test_light_environment_has_what_its_rules_import():
    rules = "".join(file.read_text() for file in (REPOSITORY / "rules").glob("*.smk"))
    of_rule = re.findall(
        r'^rule \w+:.*?"\.\./envs/(\w+)\.yaml".*?"\.\./workflow_scripts/(\w+)\.py"', rules, re.M | re.S
    )
    light = [script for environment, script in of_rule if environment == "light"]
    assert {"evaluate", "compare", "plot_metrics", "render_report"} <= set(light)
    figures = [FIGURES.module(name) for name, spec in FIGURES.items() if spec.reads != "selections"]
    modules = {
        module for script in light for module in code_modules(REPOSITORY / f"workflow_scripts/{script}.py", figures)
    }
    heavy = set(requirements(PROJECT["dependencies"])) - set(environment("light.yaml")[1])
    assert {"torch", "timm", "accelerate"} <= heavy
    absent = [IMPORT_NAMES.get(name, name) for name in heavy]
    code = f"""
import importlib, sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {absent}:
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Absent())
for name in {sorted(modules)}:
    importlib.import_module(name)
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=REPOSITORY)


def test_constraints_pin_every_dependency():
    pins = requirements((REPOSITORY / "constraints.txt").read_text().splitlines())
    extras = [line for extra in PROJECT["optional-dependencies"].values() for line in extra]
    for name in requirements(PROJECT["dependencies"] + extras):
        assert name == "iqadistill" or re.fullmatch(r"==[\w.]+", pins[name]), name


def test_pins_agree_with_one_another():
    pins = requirements((REPOSITORY / "constraints.txt").read_text().splitlines())
    for package in distributions():
        name = canonicalize_name(package.metadata["Name"])
        if pins.get(name) != f"=={package.version}":
            continue
        for needed in map(Requirement, package.requires or []):
            pin = pins.get(canonicalize_name(needed.name))
            if pin and (needed.marker is None or needed.marker.evaluate({"extra": ""})):
                assert needed.specifier.contains(pin.removeprefix("=="), prereleases=True), f"{name}: {needed}"


def test_environments_named_in_rules_exist():
    rules = "\n".join(file.read_text() for file in (REPOSITORY / "rules").glob("*.smk"))
    named = set(re.findall(r'"\.\./(envs/.*?)"', rules))
    assert named and all((REPOSITORY / name).is_file() for name in named)


def test_pre_commit_uses_pinned_versions():
    pins = requirements((REPOSITORY / "constraints.txt").read_text().splitlines())
    repositories = yaml.safe_load((REPOSITORY / ".pre-commit-config.yaml").read_text())["repos"]
    for repository in repositories:
        name = repository["repo"].rsplit("/", 1)[-1].removesuffix("-pre-commit")
        assert pins[name] == f"=={repository['rev'].removeprefix('v')}", name
