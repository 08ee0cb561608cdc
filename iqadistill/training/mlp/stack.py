"""Many MLPs of one architecture as one batched model, trained in lockstep."""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from iqadistill.models.mlp import MLP

LOSSES = ("l1", "huber")
HUBER_DELTA = 0.1  # of the quality scale
WARM_UP = 0.05  # share of the steps in which the learning rate rises


@dataclass
class Stack:
    """M MLPs; layer l has weights (M, in, out) and biases (M, out)."""

    weights: list[torch.Tensor]
    biases: list[torch.Tensor]

    @classmethod
    def copies(cls, model: MLP, count: int, device: str = "cpu") -> "Stack":
        """`count` copies of one model."""
        weights = [layer.weight.detach().T.to(device) for layer in model.layers]
        biases = [layer.bias.detach().to(device) for layer in model.layers]
        return cls([w.repeat(count, 1, 1) for w in weights], [b.repeat(count, 1) for b in biases])

    def __len__(self) -> int:
        return len(self.weights[0])

    def __getitem__(self, models: slice) -> "Stack":
        return Stack([w[models] for w in self.weights], [b[models] for b in self.biases])

    @property
    def device(self) -> torch.device:
        """Where the weights lie."""
        return self.weights[0].device

    def scores(self, embeddings: torch.Tensor) -> torch.Tensor:
        """Scores (M, n) of the same embeddings (n, d) for every model."""
        states = embeddings.expand(len(self), -1, -1)
        for layer, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            states = torch.baddbmm(bias[:, None], states if layer == 0 else states.relu_(), weight)
        return states[..., 0]

    def folded(self, mean: torch.Tensor, scale: torch.Tensor) -> "Stack":
        """The same models for raw embeddings x instead of (x - mean) * scale; mean and scale are (M, d)."""
        first = self.weights[0] * scale[..., None]
        bias = self.biases[0] - torch.einsum("md,mdh->mh", mean, first)
        return Stack([first, *self.weights[1:]], [bias, *self.biases[1:]])


@dataclass(frozen=True)
class Recipe:
    """How every model of a sweep is trained.

    Attributes:
        loss: "l1" or "huber" of a patch's score against its image's quality.
        epochs: Passes over the training images.
        batch_images: Images of a minibatch at most.
        lr: Adam's peak learning rate.
        weight_decay: Decoupled weight decay.
    """

    loss: str = "l1"
    epochs: int = 30
    batch_images: int = 16
    lr: float = 1e-3
    weight_decay: float = 0.0

    def rate(self, step: int, steps: int) -> float:
        """Learning rate of a step: linear warm-up, then a cosine down to zero."""
        warm_up = max(1, round(WARM_UP * steps))
        return self.lr * min(1.0, (step + 1) / warm_up) * 0.5 * (1 + math.cos(math.pi * step / steps))


def loss_and_slope(error: torch.Tensor, loss: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Loss of each error, and its derivative."""
    if loss == "huber":
        slope = error.clamp(-HUBER_DELTA, HUBER_DELTA)
        return slope * (error - 0.5 * slope), slope
    return error.abs(), error.sign()


def train_stack(
    stack: Stack,
    patches: torch.Tensor,
    present: torch.Tensor,
    quality: torch.Tensor,
    dropout: tuple[float, ...],
    recipe: Recipe,
    generator: torch.Generator,
    validate: Callable[[], list[float]],
) -> Iterator[dict]:
    """Train all models of a stack in place, each on its own patches of the same images.

    A minibatch is some images with all their patches, so every model takes the same number of steps and the work is
    proportional to the patches kept. The loss is the mean over an image's patches, averaged over the images. Images are
    dealt into minibatches as they come, and the order of the minibatches is drawn anew each epoch: a minibatch is then
    a view of `patches`, never a copy. A dropout mask is drawn once per image and step and shared by the image's patches
    and by all models: it depends neither on the keep rate nor on how models are stacked.

    Args:
        stack: M models.
        patches: Embeddings (M, images, k, d), zero where an image has fewer than k patches.
        present: (images, k), whether there is a patch.
        quality: Targets (images,).
        dropout: A rate for each hidden layer.
        recipe: Loss, epochs and optimiser.
        generator: CPU generator of the order of minibatches and of the dropout masks.
        validate: Called after each epoch; gives a number for each model.

    Yields:
        After each epoch: step, loss and val_srcc (a list each, one entry a model), lr, seconds.
    """
    images, width = present.shape
    batches = -(-images // recipe.batch_images)
    bounds = [images * batch // batches for batch in range(batches + 1)]
    share = present / present.sum(1, keepdim=True)  # of an image's loss
    parameters = [*stack.weights, *stack.biases]
    optimiser = torch.optim.AdamW(parameters, lr=recipe.lr, weight_decay=recipe.weight_decay, fused=True)
    step = 0
    for epoch in range(recipe.epochs):
        started, total = time.perf_counter(), torch.zeros(len(stack), device=stack.device)
        for batch in torch.randperm(batches, generator=generator).tolist():
            begin, end = bounds[batch], bounds[batch + 1]
            masks = _masks(stack, dropout, end - begin, width, generator)
            weight = share[begin:end].flatten() / (end - begin)
            target = quality[begin:end].repeat_interleave(width)
            total += (end - begin) * _gradients(
                stack, patches[:, begin:end].flatten(1, 2), weight, target, masks, recipe.loss
            )
            lr = recipe.rate(step, recipe.epochs * batches)
            optimiser.param_groups[0]["lr"] = lr
            optimiser.step()
            step += 1
        losses = (total / images).tolist()
        seconds = time.perf_counter() - started
        yield {"epoch": epoch, "step": step, "loss": losses, "val_srcc": validate(), "lr": lr, "seconds": seconds}


def _masks(
    stack: Stack, dropout: tuple[float, ...], images: int, width: int, generator: torch.Generator
) -> list[torch.Tensor | None]:
    """Inverted dropout masks (images * width, out) of the hidden layers."""
    masks: list[torch.Tensor | None] = []
    for rate, weight in zip(dropout, stack.weights, strict=False):
        kept = torch.rand((images, weight.shape[2]), generator=generator) >= rate
        masks.append((kept / (1 - rate)).repeat_interleave(width, 0).to(stack.device) if rate else None)
    return masks


def _gradients(
    stack: Stack,
    rows: torch.Tensor,
    weight: torch.Tensor,
    target: torch.Tensor,
    masks: list[torch.Tensor | None],
    loss: str,
) -> torch.Tensor:
    """Leave the gradients of one minibatch in the stack's tensors and return the losses (M,).

    Written by hand: autograd takes about a fifth longer.
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
            grad = grad if masks[layer - 1] is None else grad.mul_(masks[layer - 1])
    return losses @ weight
