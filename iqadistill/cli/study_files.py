"""Study files as the commands read them."""

from pathlib import Path
from typing import Any

import yaml

from iqadistill.errors import InputError


def read_study(file: Path) -> dict[str, Any]:
    """Contents of a YAML file; empty if it holds no mapping.

    Raises:
        InputError: The file is missing or not valid YAML.
    """
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{file}: no such study file; correct the path.") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{file}: not a valid YAML file ({' '.join(str(error).split())}); correct it.") from None
    return content if isinstance(content, dict) else {}
