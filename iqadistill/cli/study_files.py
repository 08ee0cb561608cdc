"""Study files as the commands read them."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from iqadistill.errors import InputError
from iqadistill.yaml_file import read_yaml

if TYPE_CHECKING:
    from iqadistill.config.jobs.plan import Plan
    from iqadistill.config.study import Study


def read_study(file: Path) -> dict[str, Any]:
    """Contents of a YAML file; empty if it holds no mapping.

    Raises:
        InputError: The file is missing or not valid YAML, or gives a key twice.
    """
    content = read_yaml(file)
    return content if isinstance(content, dict) else {}


def checked_study(file: Path) -> "Study":
    """The study of a file.

    Raises:
        InputError: The file is missing or not a valid study; it is named.
    """
    from iqadistill.config.load import check_study  # imports the registries, which other commands do not need

    content = read_study(file)
    try:
        return check_study(content)
    except InputError as error:
        raise InputError(f"{file}: {error}") from None


def read_plan(file: Path) -> "Plan":
    """The jobs of a study.

    Raises:
        InputError: The study file is missing or not valid.
    """
    from iqadistill.config.jobs.plan import Plan

    return Plan(checked_study(file))
