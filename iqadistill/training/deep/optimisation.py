"""One optimiser step after another."""

import contextlib
import sys
from collections.abc import Mapping

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from iqadistill.errors import InputError
from iqadistill.training.deep.settings import NetworkRecipe


class _Losses(nn.Module):
    """A network whose forward gives its losses: precision and gradient exchange are hung on to forward."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, patches: Tensor, quality: Tensor) -> dict[str, Tensor]:
        return self.network.losses(patches, quality)


class Stepper:
    """A network, its optimiser, and the moving average of its weights.

    Args:
        network: Trained in place; `losses(patches, quality)` gives named scalars whose sum is minimised.
        recipe: How.
        accelerator: Where, and in which precision.

    Attributes:
        network: The network.
        pieces: In how many a batch passes through it; doubled whenever memory runs out.

    Raises:
        InputError: The recipe wants a rate of its own for a backbone and the network has none.
    """

    def __init__(self, network: nn.Module, recipe: NetworkRecipe, accelerator: Accelerator) -> None:
        self.network, self.pieces = network, recipe.accumulation
        self._recipe, self._accelerator = recipe, accelerator
        self._format = torch.channels_last if recipe.channels_last else torch.contiguous_format
        network.to(accelerator.device, memory_format=self._format)
        self._frozen = [module for module in network.modules() if isinstance(module, _BatchNorm)]
        self._frozen = self._frozen if recipe.freeze_batchnorm else []
        for module in self._frozen:
            module.requires_grad_(False)
        self._average = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(recipe.ema)) if recipe.ema else None
        kind = {"adamw": torch.optim.AdamW, "adam": torch.optim.Adam}[recipe.optimiser]
        self._optimiser = kind(_groups(network, recipe), weight_decay=recipe.weight_decay, fused=True)
        self._model, self._accelerated = accelerator.prepare(_Losses(network), self._optimiser)

    @property
    def result(self) -> nn.Module:
        """What has been learnt so far: the moving average where the recipe has one, else the network."""
        return self._average.module if self._average else self.network

    def train(self) -> None:
        """Training mode, but for what is frozen."""
        self.network.train()
        for module in self._frozen:
            module.eval()

    def step(
        self, patches: Tensor, quality: Tensor, flips: Tensor, *, seed: int, rate: float, weight: float = 1.0
    ) -> dict[str, Tensor]:
        """Take one step.

        A batch that does not fit into memory is cut into twice as many pieces and tried again, as are all after it; the step
        remains that of the whole batch, but losses that compare patches then compare those of a piece, and running
        statistics of batch normalisation move once a piece.

        Args:
            patches: (b, 3, side, side), uint8.
            quality: (b,).
            flips: (b, 2), whether to flip each horizontally and vertically.
            seed: Of all that the network draws.
            rate: Share of the peak learning rate.
            weight: What losses and gradients are multiplied by: more than 1 where this process has more patches than others.

        Returns:
            Each loss, the mean over the batch times the weight, on the device.

        Raises:
            InputError: Not even a single patch fits into memory.
        """
        for group in self._optimiser.param_groups:
            group["lr"] = group["peak"] * rate
        while (parts := self._attempt(patches, quality, flips, seed, weight)) is None:
            self._halve(len(patches))
        if self._recipe.clip:
            self._accelerator.clip_grad_norm_(self.network.parameters(), self._recipe.clip)
        self._accelerated.step()
        self._accelerated.zero_grad()
        if self._average:
            self._average.update_parameters(self.network)
        return parts

    def _attempt(
        self, patches: Tensor, quality: Tensor, flips: Tensor, seed: int, weight: float
    ) -> dict[str, Tensor] | None:
        """Leave the gradients of a batch and return its losses; None when memory runs out."""
        torch.manual_seed(seed)
        totals: dict[str, Tensor] = {}
        pieces = list(zip(*(tensor.chunk(self.pieces) for tensor in (patches, quality, flips)), strict=True))
        try:
            for number, (part, target, turned) in enumerate(pieces, 1):
                last = number == len(pieces)
                with contextlib.nullcontext() if last else self._accelerator.no_sync(self._model):
                    share = weight * len(part) / len(patches)
                    losses = self._model(self._pixels(part, turned), target.to(self._accelerator.device))
                    self._accelerator.backward(sum(losses.values()) * share)
                for name, loss in losses.items():
                    totals[name] = totals.get(name, 0) + loss.detach().double() * share
        except torch.OutOfMemoryError:
            if self._accelerator.num_processes > 1:  # the others wait for this one's gradients
                raise
            return None
        return totals

    def _halve(self, batch: int) -> None:
        if self.pieces >= batch:
            raise InputError("train: memory does not hold a single patch; use a smaller network or patch size.")
        self._accelerated.zero_grad()
        if self._accelerator.device.type == "cuda":
            torch.cuda.empty_cache()
        self.pieces = min(2 * self.pieces, batch)
        print(f"train: out of memory, batches now go in {self.pieces} pieces", file=sys.stderr, flush=True)

    def _pixels(self, patches: Tensor, flips: Tensor) -> Tensor:
        patches = patches.to(self._accelerator.device, non_blocking=True).float().div_(255)
        if self._recipe.flips:
            flips = flips.to(self._accelerator.device, non_blocking=True)[:, :, None, None, None]
            patches = torch.where(flips[:, 0], patches.flip(-1), patches)
            patches = torch.where(flips[:, 1], patches.flip(-2), patches)
        return patches.contiguous(memory_format=self._format)

    def tensors(self) -> dict[str, Tensor]:
        """All tensors a checkpoint needs, by name."""
        found = {f"network.{name}": tensor for name, tensor in self.network.state_dict().items()}
        if self._average:
            found |= {f"average.{name}": tensor for name, tensor in self._average.state_dict().items()}
        for number, parameter in enumerate(self._parameters()):
            found |= {f"optimiser.{number}.{name}": tensor for name, tensor in self._optimiser.state[parameter].items()}
        return found

    def scaler(self) -> dict[str, float]:
        """State of fp16's loss scaling; empty in other precisions."""
        return self._accelerator.scaler.state_dict() if self._accelerator.scaler else {}

    def restore(self, tensors: Mapping[str, Tensor], pieces: int, scaler: Mapping[str, float]) -> None:
        """Go back to what `tensors`, `pieces` and `scaler` gave."""
        self.network.load_state_dict(_below("network.", tensors))
        if self._average:
            self._average.load_state_dict(_below("average.", tensors))
        for number, parameter in enumerate(self._parameters()):
            for name, tensor in _below(f"optimiser.{number}.", tensors).items():
                # as the parameter lies in memory, which a checkpoint does not tell
                like = torch.empty_like(parameter) if tensor.shape == parameter.shape else tensor.to(parameter.device)
                self._optimiser.state[parameter][name] = like.detach().copy_(tensor)
        self.pieces = pieces
        if scaler:
            self._accelerator.scaler.load_state_dict(dict(scaler))

    def _parameters(self) -> list[nn.Parameter]:
        return [parameter for group in self._optimiser.param_groups for parameter in group["params"]]


def _groups(network: nn.Module, recipe: NetworkRecipe) -> list[dict]:
    """Parameters by their peak learning rate."""
    if recipe.backbone_lr != 1 and not hasattr(network, "backbone"):
        raise InputError("recipe: backbone_lr is set, but the network has no backbone; leave it out.")
    slower = set(network.backbone.parameters()) if recipe.backbone_lr != 1 else set()
    rates = {
        parameter: recipe.lr * (recipe.backbone_lr if parameter in slower else 1.0)
        for parameter in network.parameters()
        if parameter.requires_grad
    }
    return [
        {"params": [parameter for parameter, own in rates.items() if own == rate], "peak": rate, "lr": rate}
        for rate in dict.fromkeys(rates.values())
    ]


def _below(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
