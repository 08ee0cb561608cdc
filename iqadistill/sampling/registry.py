"""Samplers by name."""

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

import pyarrow as pa

from iqadistill.errors import InputError, nearest
from iqadistill.sampling.crops import sample_crops
from iqadistill.sampling.lattice import sample_sphere
from iqadistill.sampling.plane import sample_erp, sample_latitude
from iqadistill.sampling.scanpath import sample_scanpath

_SAMPLERS: dict[str, Callable[..., pa.Table]] = {
    "erp": sample_erp,
    "lat": sample_latitude,
    "sp": sample_scanpath,
    "sphere": sample_sphere,
    "random_crops": partial(sample_crops, method="random"),
    "grid_crops": partial(sample_crops, method="grid"),
}

SAMPLER_KINDS = {name: "flat" if name.endswith("crops") else "sphere" for name in _SAMPLERS}
"""Which images a sampler is for: sphere (panoramas) or flat."""


def create_sampler(method: str, /, **settings: Any) -> Callable[[pa.Table], pa.Table]:
    """Sampler of images tables by name.

    Args:
        method: Name in `SAMPLER_KINDS`.
        **settings: Keyword arguments of its function: count, size, seed and its own.

    Returns:
        Function from table images to table patches.

    Raises:
        InputError: The method or a setting is unknown, or a setting without default is missing.
    """
    if method not in _SAMPLERS:
        raise InputError(f"sampler: unknown method {method!r}; {nearest(method, _SAMPLERS)}")
    sampler = _SAMPLERS[method]
    # a keyword that the table of samplers has fixed already is none of the user's
    fixed = getattr(sampler, "keywords", {})
    known = {
        name: parameter
        for name, parameter in inspect.signature(sampler).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY and name not in fixed
    }
    for name in settings:
        if name not in known:
            raise InputError(f"sampler {method}: unknown setting {name!r}; {nearest(name, known)}")
    for name, parameter in known.items():
        if parameter.default is parameter.empty and name not in settings:
            raise InputError(f"sampler {method}: setting {name!r} is missing; give it in the sampler's entry.")
    return partial(sampler, **settings)
