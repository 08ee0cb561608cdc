"""Optimiser steps of a deep network: mixed precision, gradient accumulation, moving average of the weights."""

import contextlib
import os
import shlex
import shutil
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol, cast, runtime_checkable

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from iqadistill.errors import InputError
from iqadistill.models.cpu_convolutions import speed_up_convolutions
from iqadistill.models.settings import TrainingSettings


class Trainable(Protocol):
    """A module that gives its losses."""

    def losses(self, patches: Tensor, quality: Tensor) -> dict[str, Tensor]:
        """Named scalars whose sum is minimised, of patches (B, 3, side, side) in [0, 1] with quality (B,)."""


_BIASES = (".bias", "cls_token", "pos_embed")  # of any shape; with one-dimensional tensors what DEIQT does not decay


@runtime_checkable
class MeasuresScores(Protocol):
    """A module whose losses need to know the scale of the scores behind the qualities."""

    def set_score_span(self, span: float) -> None:
        """Take the difference between the scores of quality 1 and 0."""


class _Losses(nn.Module):
    """A network whose forward gives its losses: mixed precision and gradient exchange apply to forward only."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, patches: Tensor, quality: Tensor) -> dict[str, Tensor]:
        return cast(Trainable, self.network).losses(patches, quality)


class NetworkOptimiser:
    """A network, its optimiser, and the moving average of its weights.

    Args:
        network: Module that is trained in place; `losses(patches, quality)` gives named scalars whose sum is minimised.
        settings: Settings of the training.
        accelerator: Device and precision.

    Attributes:
        network: The module.
        pieces: Number of pieces in which a batch passes through the network, or fewer where a piece would be too small
            for a normalisation; doubled whenever memory runs out.

    Raises:
        InputError: The settings give the backbone another learning rate and the network has no backbone, or they ask
            for a compilation and there is no compiler.
    """

    def __init__(self, network: nn.Module, settings: TrainingSettings, accelerator: Accelerator) -> None:
        self.network, self.pieces = network, settings.accumulation
        self._settings, self._accelerator = settings, accelerator
        self._format = torch.channels_last if settings.channels_last else torch.contiguous_format
        network.to(accelerator.device).to(memory_format=self._format)
        if accelerator.device.type == "cpu" and settings.precision == "no":
            speed_up_convolutions(network)
        self._frozen = [module for module in network.modules() if isinstance(module, _BatchNorm)]
        self._frozen = self._frozen if settings.freeze_batchnorm else []
        for module in self._frozen:
            module.requires_grad_(False)
        self._average = (
            AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(settings.ema)) if settings.ema else None
        )
        kind = {"adamw": torch.optim.AdamW, "adam": torch.optim.Adam}[settings.optimiser]
        self._optimiser = kind(_groups(network, settings), weight_decay=settings.weight_decay, fused=True)
        losses = _Losses(network)
        if settings.compile:
            check_compiler()
            losses.compile(dynamic=False, options={"fallback_random": True})  # the random numbers of eager mode
        self._model, self._accelerated = accelerator.prepare(losses, self._optimiser)
        self._smallest: int | None = None

    @property
    def result(self) -> nn.Module:
        """The trained network so far: the moving average if the settings have one, else the network."""
        return self._average.module if self._average else self.network

    def train(self) -> None:
        """Set training mode, except for frozen layers."""
        self.network.train()
        for module in self._frozen:
            module.eval()

    def smallest_piece(self, side: int) -> int:
        """Number of patches that have to pass through the network together in training: 1 or 2.

        It is 2 where a batch normalisation gets a map of one pixel, so that a single patch has one value per channel.
        One patch is tried, once; random generators and running statistics stay as they were.

        Args:
            side: Side of the patches in pixels.
        """
        if self._smallest is None:
            self._smallest = self._try_one_patch(side)
        return self._smallest

    def check_smallest_batch(self, patches: int, side: int) -> None:
        """Check that the smallest batch of a training is large enough for the network.

        Args:
            patches: Number of patches that a process has of the smallest batch.
            side: Their side in pixels.

        Raises:
            InputError: A normalisation needs more patches.
        """
        if patches == 1 and self.smallest_piece(side) > 1:
            raise InputError(
                f"train: a normalisation of {self._name} needs two patches of {side} pixels at a time, and the smallest"
                f" batch{' of a process' if self._accelerator.num_processes > 1 else ''} has one; raise batch_size, "
                "set freeze_batchnorm, or take larger patches."
            )

    def step(
        self, patches: Tensor, quality: Tensor, flips: Tensor, *, seed: int, rate: float, weight: float = 1.0
    ) -> dict[str, Tensor]:
        """Take one step.

        A batch that does not fit into memory is cut into twice as many pieces and tried again, and so are all later
        ones; the step is still that of the full batch, but losses that compare patches then compare those of a piece,
        and running statistics of batch normalisation are updated once per piece.

        Args:
            patches: Patches (b, 3, side, side), uint8.
            quality: Qualities (b,).
            flips: Whether to flip each patch horizontally and vertically, (b, 2).
            seed: Seed of all random draws of the network.
            rate: Learning rate as a share of its peak.
            weight: Factor on losses and gradients; above 1 if this process has more patches than others.

        Returns:
            Each loss by name, the mean over the batch times the weight, on the device.

        Raises:
            InputError: The fewest patches that can pass through the network together do not fit into memory, or patches
                are so small that a normalisation gets maps of one pixel.
        """
        for group in self._optimiser.param_groups:
            group["lr"] = group["peak"] * rate
        while (parts := self._attempt(patches, quality, flips, seed, weight)) is None:
            self._halve(len(patches), patches.shape[-1])
        if self._settings.clip:
            self._accelerator.clip_grad_norm_(self.network.parameters(), self._settings.clip)
        self._accelerated.step()
        self._accelerated.zero_grad()
        if self._average:
            self._average.update_parameters(self.network)
        return parts

    def _attempt(
        self, patches: Tensor, quality: Tensor, flips: Tensor, seed: int, weight: float
    ) -> dict[str, Tensor] | None:
        """Compute the gradients of a batch and return its losses; None if memory runs out."""
        torch.manual_seed(seed)
        totals: dict[str, Tensor] = {}
        pieces = list(zip(*self._cut(patches, quality, flips), strict=True))
        try:
            for index, (part, target, flipped) in enumerate(pieces, 1):
                last = index == len(pieces)
                with contextlib.nullcontext() if last else self._accelerator.no_sync(self._model):
                    share = weight * len(part) / len(patches)
                    losses = self._model(self._pixels(part, flipped), target.to(self._accelerator.device))
                    self._accelerator.backward(sum(losses.values()) * share)
                for name, loss in losses.items():
                    totals[name] = totals.get(name, 0) + loss.detach().double() * share
        except ValueError as error:
            if "more than 1 spatial element" not in str(error):  # torch's words, of instance normalisation alone
                raise
            raise InputError(
                f"train: a normalisation of {self._name} gets maps of one pixel from patches of {patches.shape[-1]} "
                "pixels, where nothing can be normalised; take larger patches."
            ) from None
        except torch.OutOfMemoryError:
            if self._accelerator.num_processes > 1:  # the others wait for this one's gradients
                raise
            return None
        return totals

    def _cut(self, patches: Tensor, *others: Tensor) -> list[tuple[Tensor, ...]]:
        """Cut tensors (b, ...) into `pieces` each, or into fewer of nearly one size if one would be too small."""
        pieces = [tensor.chunk(self.pieces) for tensor in (patches, *others)]
        if len(pieces[0][-1]) > 1:  # the last is the smallest
            return pieces
        smallest = self.smallest_piece(patches.shape[-1])
        if smallest == 1:
            return pieces
        number = max(1, min(self.pieces, len(patches) // smallest))
        return [tensor.tensor_split(number) for tensor in (patches, *others)]

    def _halve(self, batch: int, side: int) -> None:
        self._accelerated.zero_grad()
        if self._accelerator.device.type == "cuda":
            torch.cuda.empty_cache()
        smallest = self.smallest_piece(side)
        if self.pieces >= batch // smallest:
            what = "a single patch does not" if smallest == 1 else f"the patches that {self._name} normalises do not"
            raise InputError(f"train: {what} fit into memory; use a smaller network or patch size.")
        self.pieces = min(2 * self.pieces, batch // smallest)
        print(f"train: out of memory, batches are now cut into {self.pieces} pieces", file=sys.stderr, flush=True)

    def _try_one_patch(self, side: int) -> int:
        self.train()
        device = self._accelerator.device
        before = [(buffer, buffer.clone()) for buffer in self.network.buffers()]
        patch, quality = torch.zeros(1, 3, side, side, device=device), torch.zeros(1, device=device)
        with torch.random.fork_rng([device] if device.type == "cuda" else []), torch.no_grad():
            try:
                cast(Trainable, self.network).losses(patch, quality)
            except (ValueError, torch.OutOfMemoryError) as error:  # another one comes again in the first step
                return 2 if "more than 1 value per channel" in str(error) else 1  # torch's words
            finally:
                for buffer, value in before:
                    buffer.copy_(value)
        return 1

    @property
    def _name(self) -> str:
        return type(self.network).__name__

    def _pixels(self, patches: Tensor, flips: Tensor) -> Tensor:
        patches = patches.to(self._accelerator.device, non_blocking=True).float().div_(255)
        if self._settings.flips:
            flips = flips.to(self._accelerator.device, non_blocking=True)[:, :, None, None, None]
            patches = torch.where(flips[:, 0], patches.flip(-1), patches)
            patches = torch.where(flips[:, 1], patches.flip(-2), patches)
        return patches.contiguous(memory_format=self._format)

    def tensors(self) -> dict[str, Tensor]:
        """All tensors of a checkpoint, by name."""
        tensors = {f"network.{name}": tensor for name, tensor in self.network.state_dict().items()}
        if self._average:
            tensors |= {f"average.{name}": tensor for name, tensor in self._average.state_dict().items()}
        for index, parameter in enumerate(self._parameters()):
            tensors |= {
                f"optimiser.{index}.{name}": tensor for name, tensor in self._optimiser.state[parameter].items()
            }
        return tensors

    def scaler(self) -> dict[str, float]:
        """State of the loss scaling of fp16; empty in other precisions."""
        return self._accelerator.scaler.state_dict() if self._accelerator.scaler else {}

    def restore(self, tensors: Mapping[str, Tensor], pieces: int, scaler: Mapping[str, float]) -> None:
        """Restore the state that `tensors`, `pieces` and `scaler` described."""
        self.network.load_state_dict(_below("network.", tensors))
        if self._average:
            self._average.load_state_dict(_below("average.", tensors))
        for index, parameter in enumerate(self._parameters()):
            for name, tensor in _below(f"optimiser.{index}.", tensors).items():
                # with the memory layout of the parameter, which a checkpoint does not hold
                like = torch.empty_like(parameter) if tensor.shape == parameter.shape else tensor.to(parameter.device)
                self._optimiser.state[parameter][name] = like.detach().copy_(tensor)
        self.pieces = pieces
        if scaler:
            self._accelerator.scaler.load_state_dict(dict(scaler))

    def _parameters(self) -> list[nn.Parameter]:
        return [parameter for group in self._optimiser.param_groups for parameter in group["params"]]


def check_compiler() -> None:
    """Check that there is what torch.compile needs besides PyTorch.

    Raises:
        InputError: There is no C++ compiler, or Python's header files are not installed.
    """
    compiler = os.environ.get("CXX") or ("clang++" if sys.platform == "darwin" else "g++")
    if shutil.which(shlex.split(compiler)[0]) is None:  # CXX may hold a wrapper and options
        raise InputError(
            f"compile: there is no C++ compiler {compiler} on this machine; install it, name another one in the "
            "environment variable CXX, or set compile to false."
        )
    header = Path(sysconfig.get_path("include"), "Python.h")
    if not header.exists():
        raise InputError(
            f"compile: Python's header file {header} is missing; install the headers of this Python (package "
            "python3-dev or python3-devel), or set compile to false."
        )


def _groups(network: nn.Module, settings: TrainingSettings) -> list[dict]:
    """Parameters by their peak learning rate and whether they decay."""
    if settings.backbone_lr != 1 and not hasattr(network, "backbone"):
        raise InputError("backbone_lr: is set, but the network has no backbone; leave it out.")
    slower = set(network.get_submodule("backbone").parameters()) if settings.backbone_lr != 1 else set()
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            rate = settings.lr * (settings.backbone_lr if parameter in slower else 1.0)
            decays = settings.decay_biases or not (parameter.ndim <= 1 or name.endswith(_BIASES))
            groups.setdefault((rate, settings.weight_decay if decays else 0.0), []).append(parameter)
    return [
        {"params": parameters, "peak": rate, "lr": rate, "weight_decay": decay}
        for (rate, decay), parameters in groups.items()
    ]


def _below(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
