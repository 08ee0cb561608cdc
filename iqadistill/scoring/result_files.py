"""Files of a trained result: weights, and the sidecars beside them."""

from collections.abc import Sequence
from pathlib import Path

from iqadistill.errors import InputError
from iqadistill.training.sidecar import Sidecar

SHARED = ("settings", "size", "sampler", "scale", "seed")  # equal for all splits of one student


def find_weights(path: Path) -> list[Path]:
    """The files of weights that form a result: the given file, or all files of a folder, by split.

    Raises:
        InputError: There is no such file or folder, or it holds no weights.
    """
    if path.is_file() and path.suffix == ".safetensors":
        return [path]
    if path.is_file():
        raise InputError(f"{path}: not a trained result; give its .safetensors, or the folder of a student's splits.")
    if not path.is_dir():
        raise InputError(f"{path}: no such result; give a .safetensors of results/train_student or train_mlps.")
    files = sorted(path.glob("*.safetensors"), key=lambda file: (not file.stem.isdigit(), len(file.stem), file.stem))
    if not files:
        below = sorted(path.rglob("*.safetensors"))
        advice = f"did you mean {below[0]}?" if below else "train a student first."
        raise InputError(f"{path}: holds no trained result; {advice}")
    return files


def read_sidecars(weights: Sequence[Path]) -> list[Sidecar]:
    """The sidecars of weights that form one result.

    Raises:
        InputError: A sidecar cannot be read or is not of a student, or the weights are of several students or were
            trained with different settings.
    """
    sidecars = [Sidecar.read(file.with_suffix(".json")) for file in weights]
    if any(sidecar.scale is None for sidecar in sidecars):
        raise InputError(f"{weights[0]}: not the weights of a student; give those of train_student or train_mlps.")
    if len(weights) > 1 and any(sidecar.kind == "mlps" for sidecar in sidecars):
        names = ", ".join(file.name for file in weights)
        raise InputError(f"{weights[0].parent}: holds several students; give one of {names}.")
    for file, sidecar in zip(weights[1:], sidecars[1:], strict=True):
        differing = [key for key in SHARED if getattr(sidecar, key) != getattr(sidecars[0], key)]
        if differing:
            raise InputError(
                f"{file}: its {differing[0]} differs from that of {weights[0].name}; train all splits again."
            )
    return sidecars
