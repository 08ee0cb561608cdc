"""What lies in a folder of trained results, and what its sidecars say."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from iqadistill.errors import InputError

Facts = dict[str, Any]
SHARED = ("network", "sampler", "recipe", "scale", "seed")  # by the splits of one result


def find_weights(path: Path) -> list[Path]:
    """Weights a result consists of: the file itself, or all of a folder, by split.

    Raises:
        InputError: There is no such file or folder, or it holds no weights.
    """
    if path.is_file() and path.suffix == ".safetensors":
        return [path]
    if path.is_file():
        raise InputError(f"{path}: not a trained result; give its .safetensors, or the folder of a student's splits.")
    if not path.is_dir():
        raise InputError(f"{path}: no such result; give a .safetensors of results/train_network or train_student.")
    found = sorted(path.glob("*.safetensors"), key=lambda file: (not file.stem.isdigit(), len(file.stem), file.stem))
    if not found:
        below = sorted(path.rglob("*.safetensors"))
        advice = f"did you mean {below[0]}?" if below else "train a student first."
        raise InputError(f"{path}: holds no trained result; {advice}")
    return found


def read_sidecar(weights: Path) -> Facts:
    """Facts about a trained result.

    Raises:
        InputError: The sidecar is missing, unreadable, or says too little to score with.
    """
    file = weights.with_suffix(".json")
    try:
        facts = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{weights}: its sidecar {file.name} is missing; run the training to its end.") from None
    except ValueError as error:
        raise InputError(f"{file}: is no JSON ({error}); run the training again.") from None
    needed = {"variant", "sampler", "scale", "seed"} | ({"network", "recipe"} if "network" in facts else {"encoder"})
    if not isinstance(facts, dict) or not needed <= facts.keys() or not isinstance(facts["sampler"], dict):
        raise InputError(f"{file}: does not say how the result was made; train it again with this version.")
    return facts


def check_one_result(weights: Sequence[Path], facts: Sequence[Facts]) -> None:
    """Refuse a folder whose weights are no splits of one training.

    Raises:
        InputError: They are several students, or were trained with different settings.
    """
    if len(weights) > 1 and not all("network" in own for own in facts):
        names = ", ".join(file.name for file in weights)
        raise InputError(f"{weights[0].parent}: holds several students; give one of {names}.")
    for file, own in zip(weights[1:], facts[1:], strict=True):
        differing = [key for key in SHARED if own[key] != facts[0][key]]
        if differing:
            raise InputError(
                f"{file}: its {differing[0]} is not that of {weights[0].name}; run the training of all splits again."
            )
