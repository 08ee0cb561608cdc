"""A frozen network and how its feature maps become one vector."""

import contextlib

import torch
from torch import Tensor, nn
from torch.nn import functional

from iqadistill.encoders.folding import fold_batchnorm
from iqadistill.encoders.weights import load_backbone
from iqadistill.errors import InputError


def create_encoder(
    model: str,
    weights: str,
    pooling: str,
    *,
    size: int | None = None,
    precision: str = "float32",
    device: str | torch.device = "cpu",
) -> "Encoder":
    """Make an encoder of any timm model.

    Args:
        model: timm's name of it; the paper's is "resnet50" (arXiv 2412.12667).
        weights: "packaged", "hub", "none" or a file's path, see `iqadistill.encoders.weights.load_backbone`.
        pooling: "gap", the pooled output of the last stage (the paper's 2048 numbers of ResNet-50), or "stages", mean and standard
            deviation over space of every stage's feature map, concatenated: early stages still know about blur and noise.
        size: Patches are resized to size x size pixels (bilinear, antialiased); None takes them as they are, or to the one size the
            model accepts.
        precision: Of the forward pass: "float32", or mixed "bfloat16" or "float16".
        device: Where the network runs.

    Raises:
        InputError: Model, weights, pooling, size or precision is not one that exists, or does not go with the model.
    """
    if pooling not in ("gap", "stages"):
        raise InputError(f"encoder {model}: pooling {pooling!r}, expected 'gap' or 'stages'.")
    if precision not in ("float32", "bfloat16", "float16"):
        raise InputError(f"encoder {model}: precision {precision!r}, expected 'float32', 'bfloat16' or 'float16'.")
    backbone = load_backbone(model, weights)
    if pooling == "stages" and not _has_stages(backbone):
        raise InputError(f"encoder {model}: has no convolutional stages to pool; use pooling: gap.")
    native = backbone.pretrained_cfg["input_size"][-1]
    if backbone.pretrained_cfg.get("fixed_input_size"):
        if size not in (None, native):
            raise InputError(f"encoder {model}: takes {native} x {native} pixels only; leave out size: {size}.")
        size = native
    return Encoder(backbone, pooling, size=size, precision=precision, device=device)


class Encoder:
    """Patches in, vectors out.

    Attributes:
        width: Length of a vector.
        size: Side in pixels to which patches are resized; None: as they are.
        device: Where the network runs.
    """

    def __init__(
        self, backbone: nn.Module, pooling: str, *, size: int | None, precision: str, device: str | torch.device
    ) -> None:
        self._forward = _pool_stages if pooling == "stages" else _pool_last
        example = torch.rand(2, *backbone.pretrained_cfg["input_size"], generator=torch.Generator().manual_seed(0))
        model = fold_batchnorm(backbone, self._forward, example)
        self.device = torch.device(device)
        self._model = model.to(self.device, memory_format=torch.channels_last).requires_grad_(False)
        self._mean, self._std = (
            torch.tensor(backbone.pretrained_cfg[key], device=self.device).view(-1, 1, 1) for key in ("mean", "std")
        )
        self.size, self._precision = size, precision
        self.width = self.embed(example[:1]).shape[1]

    @torch.inference_mode()
    def embed(self, batch: Tensor) -> Tensor:
        """Vectors (B, width), float32, on the encoder's device, of patches (B, 3, h, w) in [0, 1]."""
        batch = self.resize(batch.to(self.device, torch.float32))
        batch = ((batch - self._mean) / self._std).contiguous(memory_format=torch.channels_last)
        with self._autocast():
            return self._forward(self._model, batch).float()

    def resize(self, batch: Tensor) -> Tensor:
        """Patches (B, 3, h, w) at the encoder's size."""
        if self.size is None or batch.shape[-2:] == (self.size, self.size):
            return batch
        return functional.interpolate(batch, (self.size, self.size), mode="bilinear", antialias=True)

    def _autocast(self) -> contextlib.AbstractContextManager:
        if self._precision == "float32":
            return contextlib.nullcontext()
        return torch.autocast(self.device.type, getattr(torch, self._precision))


def _pool_last(model: nn.Module, batch: Tensor) -> Tensor:
    return model(batch)


def _pool_stages(model: nn.Module, batch: Tensor) -> Tensor:
    parts = []
    for features in model.forward_intermediates(batch, intermediates_only=True):
        features = features.float()
        mean = features.mean((2, 3), keepdim=True)
        # two passes: three times as fast as torch.std_mean on channels-last maps
        std = (features - mean).square().mean((2, 3)).sqrt()
        parts += [mean.flatten(1), std]
    return torch.cat(parts, dim=1)


def _has_stages(model: nn.Module) -> bool:
    """Whether feature maps shrink along the network; those of a plain vision transformer do not."""
    known = hasattr(model, "forward_intermediates") and hasattr(model, "feature_info")
    return known and len({stage["reduction"] for stage in model.feature_info}) > 1
