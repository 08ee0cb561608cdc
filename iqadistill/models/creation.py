"""Creation of models by name."""

from typing import TYPE_CHECKING, Any, cast

import torch
from torch import nn

from iqadistill.errors import InputError, nearest
from iqadistill.models.registry import STUDENTS, TEACHERS
from iqadistill.models.settings import DeepStudentSettings, TeacherSettings

if TYPE_CHECKING:
    from iqadistill.models.students.mlp import MlpSettings

REDNET_DEPTHS = {f"rednet{depth}": depth for depth in (26, 38, 50, 101)}
_WEIGHTS: dict[bool | str, str] = {False: "none", True: "hub"}


def create_model(name: str, *, size: int = 224, pretrained: bool | str | None = None, **settings: Any) -> nn.Module:
    """Create a model; in eval mode its forward pass gives scores of shape (B,).

    Args:
        name: "mlp", "adtrs", "rkiqt", "nar_teacher", "regressor", "rednet26", "rednet38", "rednet50" or "rednet101".
        size: Side in pixels of the patches; without effect on "mlp" and the RedNets.
        pretrained: Short for `weights`: False for "none", True for "hub", a string for itself.
        **settings: Settings of the model, see `iqadistill.models.registry`; weights are random by default. Besides,
            "mlp" takes `width` (length of an embedding, required) and `generator` (generator of the initial weights);
            a RedNet takes `num_classes` (default 1000) and `weights`.

    Raises:
        InputError: The name or a setting is unknown, or a setting is missing or out of range.
    """
    if pretrained is not None:
        if "weights" in settings:
            raise InputError(f"model {name!r}: pretrained and weights mean the same; give weights alone.")
        settings["weights"] = _WEIGHTS.get(pretrained, pretrained)
    if name in REDNET_DEPTHS:
        return _create_rednet(name, **settings)
    if name == "mlp":
        return _create_mlp(**settings)
    registries = {
        known: one for one in (STUDENTS, TEACHERS) for known, entry in one.items() if hasattr(entry, "create_network")
    }
    if name not in registries:
        raise InputError(f"model {name!r}: unknown model; {nearest(name, [*registries, *REDNET_DEPTHS])}")
    registry = registries[name]
    random: dict[str, str] = {key: "none" for key in ("weights", "stem_weights") if key in registry[name].model_fields}
    model = cast(DeepStudentSettings | TeacherSettings, registry.create({"model": name, **random, **settings}, name))
    return model.create_network(size)


def _create_mlp(width: int | None = None, generator: torch.Generator | None = None, **settings: Any) -> nn.Module:
    if width is None:
        raise InputError("mlp.width: missing; give the length of an embedding.")
    model = cast("MlpSettings", STUDENTS.create({"model": "mlp", **settings}, "mlp"))
    return model.create_network(width, generator)


def _create_rednet(name: str, **settings: Any) -> nn.Module:
    from iqadistill.models.rkiqt.rednet import RedNet  # it brings timm, seconds of import that an MLP can do without

    unknown = sorted(set(settings) - {"num_classes", "weights"})
    if unknown:
        raise InputError(f"{name}.{unknown[0]}: unknown key; {nearest(unknown[0], ['num_classes', 'weights'])}")

    return RedNet(REDNET_DEPTHS[name], **settings)
