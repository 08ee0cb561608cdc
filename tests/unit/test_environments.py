import re
import tomllib
from pathlib import Path

import yaml

REPOSITORY = Path(__file__).parents[2]
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]


def requirements(lines):
    """Package name to version requirement."""
    matches = (re.match(r"([A-Za-z0-9_.-]+)(?:\[.*\])?\s*(.*)", line) for line in lines)
    return {m[1].lower().replace("_", "-"): m[2] for m in matches}


def test_environments_match_project_dependencies():
    files = sorted((REPOSITORY / "envs").glob("*.yaml"))
    assert files
    for file in files:
        *conda, last = yaml.safe_load(file.read_text())["dependencies"]
        assert f"python{PROJECT['requires-python']}" in conda
        assert requirements(last["pip"]) == requirements(PROJECT["dependencies"])


def test_constraints_pin_every_dependency():
    pins = requirements((REPOSITORY / "constraints.txt").read_text().splitlines())
    extras = [line for extra in PROJECT["optional-dependencies"].values() for line in extra]
    for name in requirements(PROJECT["dependencies"] + extras):
        assert name == "iqadistill" or re.fullmatch(r"==[\w.]+", pins[name]), name


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
