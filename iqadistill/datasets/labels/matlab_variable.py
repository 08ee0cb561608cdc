"""Read a variable of a MATLAB file: the work of a process of its own."""

import math
from pathlib import Path

import numpy as np

MOST_VALUES = 20_000_000  # of a variable; official label files have thousands


def load_variable(file: Path, name: str) -> tuple[list[str], np.ndarray | None]:
    """Names of all variables of a file, and one of them without dimensions of length 1; None where it is missing.

    Raises:
        ValueError: A variable is too large for labels. SciPy raises other errors, or crashes, where a file is damaged.
    """
    from scipy.io import loadmat, whosmat  # only some datasets have MATLAB files

    shapes = {key: shape for key, shape, _ in whosmat(file)}
    for shape in shapes.values():
        if math.prod(shape) > MOST_VALUES:
            raise ValueError(f"a variable has the shape {shape}")
    return list(shapes), loadmat(file, squeeze_me=True, variable_names=[name]).get(name)
