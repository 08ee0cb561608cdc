"""How a deep network is trained."""

import math
from dataclasses import dataclass

from iqadistill.errors import InputError

FLIPS = ("horizontal", "vertical")
OPTIMISERS = ("adamw", "adam")
SCHEDULES = ("cosine", "step", "constant")
PRECISIONS = ("no", "bf16", "fp16")


@dataclass(frozen=True)
class NetworkRecipe:
    """Everything about a training that changes its weights, apart from the network and its data.

    Attributes:
        epochs: Passes over the training images.
        batch_size: Patches an optimiser step; an epoch is dealt into batches of nearly one size, none larger.
        patches_per_epoch: Kept patches drawn anew from every image each epoch; None for all.
        mix_patches: Batches are mixed from about so many patches, of as many images as bring them; twice that number is held as
            bytes, 3 * side * side each.
        flips: Which of "horizontal" and "vertical" turn a patch over half of the time.
        optimiser: "adamw" (decoupled weight decay) or "adam" (weight decay added to the gradient).
        lr: Peak learning rate.
        weight_decay: Weight decay.
        backbone_lr: Factor on the learning rate of `network.backbone`.
        schedule: "cosine" down to zero, "step" down every `step_epochs`, or "constant".
        step_epochs: Epochs between two steps of the step schedule.
        step_factor: What each of them multiplies the rate by.
        warm_up: Epochs, or a part of one, in which the rate rises from zero.
        accumulation: Pieces in which a batch passes through the network, their gradients added up. Losses that compare the patches of
            a batch see one piece at a time.
        clip: Largest norm of the gradient; None for any.
        precision: "no" (float32), or mixed "bf16" or "fp16".
        channels_last: Memory layout of weights and patches, faster on most GPUs.
        ema: Decay of a moving average of the weights, which then is the result; None for none.
        patience: Epochs without a better SRCC on the validation images after which training ends, with the weights of the best; None
            to train all epochs and keep the last weights.
        freeze_batchnorm: Leave statistics, scale and shift of every batch normalisation as they are.
    """

    epochs: int = 5
    batch_size: int = 8
    patches_per_epoch: int | None = None
    mix_patches: int = 2048
    flips: tuple[str, ...] = ("horizontal",)
    optimiser: str = "adamw"
    lr: float = 2e-5
    weight_decay: float = 5e-4
    backbone_lr: float = 1.0
    schedule: str = "cosine"
    step_epochs: int = 3
    step_factor: float = 0.1
    warm_up: float = 0.0
    accumulation: int = 1
    clip: float | None = None
    precision: str = "no"
    channels_last: bool = False
    ema: float | None = None
    patience: int | None = None
    freeze_batchnorm: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot be trained.

        Raises:
            InputError: A setting is unknown or out of range.
        """
        for name, known in (("optimiser", OPTIMISERS), ("schedule", SCHEDULES), ("precision", PRECISIONS)):
            if getattr(self, name) not in known:
                raise InputError(f"recipe: {name} {getattr(self, name)!r} is unknown; use one of {', '.join(known)}.")
        if not set(self.flips) <= set(FLIPS):
            raise InputError(f"recipe: flips {list(self.flips)}, expected some of {', '.join(FLIPS)}, or none.")
        for name in (
            "epochs",
            "batch_size",
            "patches_per_epoch",
            "mix_patches",
            "step_epochs",
            "accumulation",
            "patience",
        ):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise InputError(f"recipe: {name} is {value}, expected 1 or more.")
        for name in ("lr", "clip"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise InputError(f"recipe: {name} is {value}, expected a number above 0.")
        for name in ("weight_decay", "backbone_lr", "warm_up"):
            if not getattr(self, name) >= 0:
                raise InputError(f"recipe: {name} is {getattr(self, name)}, expected a number that is not negative.")
        if self.ema is not None and not 0 < self.ema < 1:
            raise InputError(f"recipe: ema is {self.ema}, expected a decay between 0 and 1, e.g. 0.999.")

    def rate(self, step: int, epoch_steps: int) -> float:
        """Learning rate of a step, counted from 0, as a share of its peak; an epoch has `epoch_steps`."""
        share = min(1.0, (step + 1) / (self.warm_up * epoch_steps)) if self.warm_up else 1.0
        if self.schedule == "cosine":
            return share * 0.5 * (1 + math.cos(math.pi * step / (self.epochs * epoch_steps)))
        if self.schedule == "step":
            return share * self.step_factor ** (step // epoch_steps // self.step_epochs)
        return share
