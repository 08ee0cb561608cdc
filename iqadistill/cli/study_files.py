"""Study files as the commands read them."""

from pathlib import Path
from typing import Any

from iqadistill.yaml_file import read_yaml


def read_study(file: Path) -> dict[str, Any]:
    """Contents of a YAML file; empty if it holds no mapping.

    Raises:
        InputError: The file is missing or not valid YAML, or gives a key twice.
    """
    content = read_yaml(file)
    return content if isinstance(content, dict) else {}
