"""Many MLPs of one architecture as one batched model, trained in lockstep."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F

from iqadistill.models.mlp import MLP
from iqadistill.models.students.mlp import MlpSettings

HUBER_DELTA = 0.1  # in units of quality, which is in [0, 1]
WARM_UP = 0.05  # share of the steps in which the learning rate rises


@dataclass
class StackedMlps:
    """M MLPs; layer l has weights (M, in, out) and biases (M, out)."""

    weights: list[torch.Tensor]
    biases: list[torch.Tensor]

    @classmethod
    def copies(cls, model: MLP, count: int, device: str | torch.device = "cpu") -> "StackedMlps":
        """`count` copies of one model."""
        weights = [layer.weight.detach().T.to(device) for layer in model.linear_layers()]
        biases = [layer.bias.detach().to(device) for layer in model.linear_layers()]
        return cls([w.repeat(count, 1, 1) for w in weights], [b.repeat(count, 1) for b in biases])

    @classmethod
    def concatenated(cls, stacks: Sequence["StackedMlps"]) -> "StackedMlps":
        """All models of several stacks, in order."""
        layers = range(len(stacks[0].weights))
        return cls(
            [torch.cat([stack.weights[layer] for stack in stacks]) for layer in layers],
            [torch.cat([stack.biases[layer] for stack in stacks]) for layer in layers],
        )

    def __len__(self) -> int:
        return len(self.weights[0])

    def __getitem__(self, models: slice | list[int]) -> "StackedMlps":
        return StackedMlps([w[models] for w in self.weights], [b[models] for b in self.biases])

    @property
    def device(self) -> torch.device:
        """Device of the weights."""
        return self.weights[0].device

    def scores(self, embeddings: torch.Tensor) -> torch.Tensor:
        """Scores (M, n) of the same embeddings (n, d) by every model."""
        states = embeddings.expand(len(self), -1, -1)
        for layer, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            states = torch.baddbmm(bias[:, None], states if layer == 0 else states.relu_(), weight)
        return states[..., 0]

    def folded(self, mean: torch.Tensor, scale: torch.Tensor) -> "StackedMlps":
        """The same models for raw embeddings x instead of (x - mean) * scale; mean and scale are (M, d)."""
        first = self.weights[0] * scale[..., None]
        bias = self.biases[0] - torch.einsum("md,mdh->mh", mean, first)
        return StackedMlps([first, *self.weights[1:]], [bias, *self.biases[1:]])


def learning_rate(settings: MlpSettings, step: int, steps: int) -> float:
    """Learning rate of a step: a linear warm-up times a cosine down to zero.

    Args:
        settings: Settings with the peak.
        step: Index of the step, from 0.
        steps: Steps of the training.
    """
    warm_up = max(1, round(WARM_UP * steps))
    return settings.lr * min(1.0, (step + 1) / warm_up) * 0.5 * (1 + math.cos(math.pi * step / steps))


def loss_and_slope(error: torch.Tensor, loss: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Loss of each error, and its derivative."""
    if loss == "huber":
        slope = error.clamp(-HUBER_DELTA, HUBER_DELTA)
        return slope * (error - 0.5 * slope), slope
    return error.abs(), error.sign()


def train_stack(
    stack: StackedMlps,
    patches: torch.Tensor,
    present: torch.Tensor,
    quality: torch.Tensor,
    settings: MlpSettings,
    generator: torch.Generator,
    validate: Callable[[], list[float]],
) -> Iterator[dict[str, Any]]:
    """Train all models of a stack in place, each on its own patches of the same images, or of images of its own.

    A minibatch is some images with all their patches, so every model takes the same number of steps and the work is
    proportional to the number of kept patches. The loss is the mean over an image's patches, averaged over the
    images. Consecutive images form the minibatches, and the order of the minibatches is drawn again in each epoch: a
    minibatch is then a view of `patches`, never a copy. A dropout mask is drawn once per image and step and shared by
    the image's patches and by all models: it depends neither on the keep rate nor on how models are stacked.

    Args:
        stack: M models.
        patches: Embeddings (M, images, k, d), zero where an image has fewer than k patches.
        present: Mask (images, k) of the patches that exist, or (M, images, k) where images differ between models.
        quality: Targets (images,), or (M, images).
        settings: Loss, epochs, dropout and optimiser.
        generator: CPU generator of the order of minibatches and of the dropout masks.
        validate: Function that gives the validation SRCC of each model; called after each epoch.

    Yields:
        After each epoch: epoch, step, lr, seconds, and loss and val_srcc as lists with an entry per model.
    """
    images, width = present.shape[-2:]
    batches = -(-images // settings.batch_images)
    bounds = [images * batch // batches for batch in range(batches + 1)]
    share = present / present.sum(-1, keepdim=True)  # weight of a patch in the loss of its image
    parameters = [*stack.weights, *stack.biases]
    optimiser = torch.optim.AdamW(parameters, lr=settings.lr, weight_decay=settings.weight_decay, fused=True)
    step = 0
    for epoch in range(settings.epochs):
        started, total = time.perf_counter(), torch.zeros(len(stack), device=stack.device)
        for batch in torch.randperm(batches, generator=generator).tolist():
            begin, end = bounds[batch], bounds[batch + 1]
            masks = _masks(stack, settings.dropout, end - begin, width, generator)
            weight = share[..., begin:end, :].flatten(-2) / (end - begin)
            target = quality[..., begin:end].repeat_interleave(width, -1)
            total += (end - begin) * _gradients(
                stack, patches[:, begin:end].flatten(1, 2), weight, target, masks, settings.loss
            )
            lr = learning_rate(settings, step, settings.epochs * batches)
            optimiser.param_groups[0]["lr"] = lr
            optimiser.step()
            step += 1
        losses = (total / images).tolist()
        seconds = time.perf_counter() - started
        yield {"epoch": epoch, "step": step, "loss": losses, "val_srcc": validate(), "lr": lr, "seconds": seconds}


def _masks(
    stack: StackedMlps, dropout: tuple[float, ...], images: int, width: int, generator: torch.Generator
) -> list[torch.Tensor | None]:
    """Inverted dropout masks (images * width, out) of the hidden layers."""
    masks: list[torch.Tensor | None] = []
    for rate, weight in zip(dropout, stack.weights, strict=False):
        kept = torch.rand((images, weight.shape[2]), generator=generator) >= rate
        masks.append((kept / (1 - rate)).repeat_interleave(width, 0).to(stack.device) if rate else None)
    return masks


def _gradients(
    stack: StackedMlps,
    rows: torch.Tensor,
    weight: torch.Tensor,
    target: torch.Tensor,
    masks: list[torch.Tensor | None],
    loss: str,
) -> torch.Tensor:
    """Store the gradients of one minibatch in the stack's tensors and return the losses (M,).

    The gradients are written by hand: autograd takes about a fifth longer.
    """
    states = [rows]
    for matrix, bias, mask in zip(stack.weights, stack.biases, [*masks, None], strict=True):
        state = torch.baddbmm(bias[:, None], states[-1], matrix)
        if len(states) < len(stack.weights):
            state = F.relu_(state)
            state = state if mask is None else state.mul_(mask)
        states.append(state)
    losses, slope = loss_and_slope(states.pop()[..., 0] - target, loss)
    grad = (slope * weight)[..., None]
    for layer in reversed(range(len(stack.weights))):
        matrix, bias, state = stack.weights[layer], stack.biases[layer], states[layer]
        matrix.grad = torch.bmm(state.mT, grad)
        bias.grad = grad.sum(1)
        if layer:
            grad = torch.bmm(grad, matrix.mT) * (state > 0)
            mask = masks[layer - 1]
            grad = grad if mask is None else grad.mul_(mask)
    return losses @ weight if weight.dim() == 1 else (losses * weight).sum(1)
