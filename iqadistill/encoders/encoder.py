"""Encoder: a frozen network that turns a patch into one vector."""

import contextlib

import torch
from torch import Tensor
from torch.nn import functional

from iqadistill.encoders.backends.timm import TimmSettings
from iqadistill.encoders.folding import fold_batchnorm
from iqadistill.encoders.inference import speed_up_inference
from iqadistill.errors import InputError
from iqadistill.models.pretrained import TimmNetwork, create_pretrained
from iqadistill.patches.pixel_values import as_floats


def create_timm_encoder(settings: TimmSettings, device: str | torch.device = "cpu") -> "Encoder":
    """Create an encoder from a network of timm.

    Args:
        settings: Settings of the encoder. Pooling "gap" returns the pooled output of the last stage (the paper's 2048
            numbers of ResNet-50), "stages" the mean and standard deviation over space of every stage's feature map,
            concatenated: early stages still respond to blur and noise. Patches are resized bilinearly with
            antialiasing; without a size they are taken as they are, or resized to the one size that the model accepts.
        device: Device on which the network runs.

    Raises:
        InputError: The model or its weights do not exist, or pooling or size do not fit the model.
    """
    model, size = settings.model, settings.size
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)  # random weights are the same every time
        network = create_pretrained(model, settings.weights, where="encoder", num_classes=0).eval()
    if settings.pooling == "stages" and not _has_stages(network):
        raise InputError(f"encoder {model}: has no convolutional stages to pool; use pooling: gap.")
    native = network.pretrained_cfg["input_size"][-1]
    if network.pretrained_cfg.get("fixed_input_size"):
        if size not in (None, native):
            raise InputError(f"encoder {model}: takes {native} x {native} pixels only; leave out size: {size}.")
        size = native
    return Encoder(network, settings.pooling, size=size, precision=settings.precision, device=device)


class Encoder:
    """Frozen network from patches to vectors.

    Args:
        network: Network of timm without its classifier, in eval mode.
        pooling: "gap" or "stages", see `create_timm_encoder`.
        size: Side in pixels to which patches are resized; None to take them as they are.
        precision: Arithmetic of the forward pass: "float32", or mixed "bfloat16" or "float16".
        device: Device on which the network runs.

    Attributes:
        width: Length of a vector.
        size: Side in pixels to which patches are resized; None where they are taken as they are.
        device: Device on which the network runs.
    """

    def __init__(
        self, network: TimmNetwork, pooling: str, *, size: int | None, precision: str, device: str | torch.device
    ) -> None:
        self._forward = pool_stages if pooling == "stages" else pool_last
        example = torch.rand(2, *network.pretrained_cfg["input_size"], generator=torch.Generator().manual_seed(0))
        mean, std = (torch.tensor(network.pretrained_cfg[key]).view(-1, 1, 1) for key in ("mean", "std"))
        self.device = torch.device(device)
        self._mean, self._std = mean.to(self.device), std.to(self.device)
        quicker = speed_up_inference if self.device.type == "cpu" else fold_batchnorm
        model = quicker(network, self._forward, (example - mean) / std)
        self._model = model.to(self.device).to(memory_format=torch.channels_last).requires_grad_(False)
        self.size, self._precision = size, precision
        self.width = self.embed(example[:1]).shape[1]

    @torch.inference_mode()
    def embed(self, batch: Tensor) -> Tensor:
        """Vectors (B, width), float32, on the encoder's device, of patches (B, 3, h, w), uint8 or in [0, 1]."""
        batch = as_floats(self.resize(batch.to(self.device)))
        batch = (batch - self._mean).div_(self._std).contiguous(memory_format=torch.channels_last)
        with self._autocast():
            return self._forward(self._model, batch).float()

    def resize(self, batch: Tensor) -> Tensor:
        """Patches (B, 3, h, w), uint8 or in [0, 1], at the encoder's size and in [0, 1] where it has one."""
        if self.size is None:
            return batch
        batch = as_floats(batch)  # also where it has the size, for others beside it may not
        if batch.shape[-2:] == (self.size, self.size):
            return batch
        return functional.interpolate(batch, (self.size, self.size), mode="bilinear", antialias=True)

    def _autocast(self) -> contextlib.AbstractContextManager:
        if self._precision == "float32":
            return contextlib.nullcontext()
        return torch.autocast(self.device.type, getattr(torch, self._precision))


def pool_last(model: TimmNetwork, batch: Tensor) -> Tensor:
    """The pooled output (B, width) of the last stage."""
    return model(batch)


def pool_stages(model: TimmNetwork, batch: Tensor) -> Tensor:
    """Mean and standard deviation over space (B, width) of every stage's feature map."""
    parts = []
    for features in model.forward_intermediates(batch, intermediates_only=True):
        features = features.float()
        mean = features.mean((2, 3), keepdim=True)
        # two passes: three times as fast as torch.std_mean on channels-last maps
        std = (features - mean).square().mean((2, 3)).sqrt()
        parts += [mean.flatten(1), std]
    return torch.cat(parts, dim=1)


def _has_stages(model: TimmNetwork) -> bool:
    """Whether feature maps shrink along the network; those of a plain vision transformer do not."""
    known = hasattr(model, "forward_intermediates") and hasattr(model, "feature_info")
    return known and len({stage["reduction"] for stage in model.feature_info}) > 1
