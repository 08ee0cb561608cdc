"""Study files as the commands read them."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from iqadistill.yaml_file import read_yaml

if TYPE_CHECKING:
    from iqadistill.config.jobs.plan import Plan


def read_study(file: Path) -> dict[str, Any]:
    """Contents of a YAML file; empty if it holds no mapping.

    Raises:
        InputError: The file is missing or not valid YAML, or gives a key twice.
    """
    content = read_yaml(file)
    return content if isinstance(content, dict) else {}


def read_plan(file: Path) -> "Plan":
    """The jobs of a study.

    Raises:
        InputError: The study file is missing or not valid.
    """
    from iqadistill.config.jobs.plan import Plan
    from iqadistill.config.load import check_study

    return Plan(check_study(read_study(file)))
