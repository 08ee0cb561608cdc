"""The container recipes, as far as they can be checked without building them."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from iqadistill import __version__

REPOSITORY = Path(__file__).parents[2]
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
RECIPES = {name: (REPOSITORY / "containers" / name).read_text() for name in ("Dockerfile", "iqadistill.def")}
NEEDED = {"Snakefile", "rules", "workflow_scripts", "iqadistill", "envs", "profiles", "studies", "config.yaml"}
recipes = pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)


def copied(recipe: str) -> list[str]:
    """Files and folders of the repository that a recipe copies."""
    if "%files" in recipe:
        section = recipe.split("%files\n")[1].split("\n\n")[0]
        return [line.split()[0] for line in section.splitlines()]
    return [name for line in re.findall(r"^COPY (.+)$", recipe, re.MULTILINE) for name in line.split()[:-1]]


@recipes
def test_recipe_copies_the_workflow_and_what_its_package_is_made_from(recipe):
    names = copied(recipe)
    assert all((REPOSITORY / name).exists() for name in names)
    assert set(names) >= NEEDED | {"pyproject.toml", "constraints.txt", PROJECT["readme"], "LICENSE"}


def test_dockerfile_copies_the_package_before_pip_installs_it():
    before, _, _ = RECIPES["Dockerfile"].partition("RUN pip")
    assert {"pyproject.toml", "constraints.txt", PROJECT["readme"], "LICENSE", "iqadistill"} <= set(copied(before))


@recipes
def test_recipe_installs_from_package_managers_alone(recipe):
    commands = re.sub(r"^#.*$", "", recipe, flags=re.MULTILINE)
    assert not re.search(r"\b(curl|wget|git|ADD|--index-url|--extra-index-url)\b|://", commands)
    (extras,) = re.findall(r"pip install --no-cache-dir --constraint constraints.txt '\.\[(.+)\]'", commands)
    assert set(extras.split(",")) <= set(PROJECT["optional-dependencies"])
    (python,) = re.findall(r"^(?:FROM|From:) python:(\S+)-slim-bookworm$", commands, re.MULTILINE)
    assert PROJECT["requires-python"] == f">={python}"


def test_recipes_and_the_profile_that_pulls_the_image_agree():
    installed = [re.findall(r"apt-get install .*|pip install .*", recipe) for recipe in RECIPES.values()]
    assert len(installed[0]) == 2 and [line.strip(" \\") for line in installed[0]] == installed[1]
    profile = yaml.safe_load((REPOSITORY / "profiles/kubernetes/config.yaml").read_text())
    assert profile["container-image"].endswith(f"/iqadistill:{__version__}")
    assert f"--tag iqadistill:{__version__} " in RECIPES["Dockerfile"]


@pytest.mark.skipif(not [*Path("/var/lib/apt/lists").glob("*_Packages*")], reason="needs the package lists of Debian")
def test_packages_of_the_system_exist():
    (names,) = {
        line for recipe in RECIPES.values() for line in re.findall(r"apt-get install (.+?)(?: \\)?$", recipe, re.M)
    }
    for name in (word for word in names.split() if not word.startswith("--")):
        assert subprocess.run(["apt-cache", "show", name], capture_output=True).returncode == 0, name


@pytest.mark.whole  # asks the package index, and builds the package
def test_pip_installs_what_the_dockerfile_has_copied(tmp_path):
    before, _, after = RECIPES["Dockerfile"].partition("RUN pip install --no-cache-dir ")
    for name in copied(before):
        copy = shutil.copytree if (REPOSITORY / name).is_dir() else shutil.copy
        copy(REPOSITORY / name, tmp_path / name)
    arguments = after.splitlines()[0].replace("'", "").split()
    pip = [sys.executable, "-m", "pip"]
    subprocess.run([*pip, "install", "--quiet", "--dry-run", *arguments], cwd=tmp_path, check=True)
    subprocess.run([*pip, "wheel", "--quiet", "--no-deps", "--wheel-dir", "wheels", "."], cwd=tmp_path, check=True)
    (wheel,) = tmp_path.glob("wheels/*.whl")
    shutil.unpack_archive(wheel, tmp_path / "unpacked", "zip")
    files = {file.relative_to(REPOSITORY) for file in (REPOSITORY / "iqadistill").rglob("*") if file.is_file()}
    absent = [
        file for file in files if "__pycache__" not in file.parts and not (tmp_path / "unpacked" / file).is_file()
    ]
    assert not absent
