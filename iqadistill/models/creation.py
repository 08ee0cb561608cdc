"""The names under which models are created."""

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

from torch import nn

from iqadistill.errors import InputError, nearest
from iqadistill.models.mlp import MLP


def _adtrs() -> type[nn.Module]:
    from iqadistill.models.adtrs.student import ADTRS  # it brings timm, seconds of import that an MLP can do without

    return ADTRS


def _rkiqt() -> type[nn.Module]:
    from iqadistill.models.rkiqt.student import RKIQT

    return RKIQT


def _regressor() -> type[nn.Module]:
    from iqadistill.models.rkiqt.regressor import Regressor

    return Regressor


def _nar_teacher() -> type[nn.Module]:
    from iqadistill.models.rkiqt.nar_teacher import NARTeacher

    return NARTeacher


def _rednet(depth: int) -> Callable[..., nn.Module]:
    from iqadistill.models.rkiqt.rednet import RedNet

    return partial(RedNet, depth)


MODELS: dict[str, Callable[[], Callable[..., nn.Module]]] = {
    "mlp": lambda: MLP,
    "adtrs": _adtrs,
    "rkiqt": _rkiqt,
    "regressor": _regressor,
    "nar_teacher": _nar_teacher,
    **{f"rednet{depth}": partial(_rednet, depth) for depth in (26, 38, 50, 101)},
}


def create_model(name: str, **settings: Any) -> nn.Module:
    """Create a model; in eval mode its forward gives scores of shape (B,).

    Args:
        name: A key of `MODELS`.
        **settings: What that model's class takes, e.g. `width` for "mlp".

    Raises:
        InputError: Unknown name or setting, or a setting that is missing.
    """
    if name not in MODELS:
        raise InputError(f"model {name!r}: no such model; {nearest(name, MODELS)}")
    model = MODELS[name]()
    accepted = inspect.signature(model).parameters
    unknown = sorted(set(settings) - set(accepted))
    if unknown:
        raise InputError(f"model {name!r}: unknown setting {unknown[0]!r}; {nearest(unknown[0], accepted)}")
    for key, parameter in accepted.items():
        if parameter.default is parameter.empty and key not in settings:
            raise InputError(f"model {name!r}: the setting {key!r} is missing; give it.")
    return model(**settings)
