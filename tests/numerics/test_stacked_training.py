"""Stacked training with hand-written gradients, compared with an autograd training of each model."""

import math

import pytest
import torch
import torch.nn.functional as F

from iqadistill.models import create_model
from iqadistill.models.students.mlp import MlpSettings
from iqadistill.training.mlp.stacked_mlps import StackedMlps, train_stack


def reference_training(model, patches, quality, settings, generator):
    """Train one model with autograd; patches is a list with the (k, d) tensor of each image."""
    optimiser = torch.optim.AdamW(model.parameters(), lr=settings.lr, weight_decay=settings.weight_decay)
    batches = math.ceil(len(patches) / settings.batch_images)
    steps, step = settings.epochs * batches, 0
    for _ in range(settings.epochs):
        for batch in torch.randperm(batches, generator=generator).tolist():
            images = range(len(patches) * batch // batches, len(patches) * (batch + 1) // batches)
            masks = [
                (torch.rand((len(images), layer.out_features), generator=generator) >= rate) / (1 - rate)
                for layer, rate in zip(model.layers, settings.dropout, strict=False)
            ]
            losses = []
            for index, image in enumerate(images):
                state = patches[image]
                for layer, mask in zip(model.layers, masks, strict=False):
                    state = F.relu(layer(state)) * mask[index]
                prediction = model.layers[-1](state).squeeze(-1)
                target = quality[image].expand_as(prediction)
                losses.append(
                    F.l1_loss(prediction, target)
                    if settings.loss == "l1"
                    else F.huber_loss(prediction, target, delta=0.1)
                )
            warm_up = max(1, round(0.05 * steps))
            cosine = 0.5 * (1 + math.cos(math.pi * step / steps))
            optimiser.param_groups[0]["lr"] = settings.lr * min(1, (step + 1) / warm_up) * cosine
            optimiser.zero_grad()
            torch.stack(losses).mean().backward()
            optimiser.step()
            step += 1
    return model


@pytest.mark.parametrize("loss", ["l1", "huber"])
@pytest.mark.parametrize("hidden", [[12], [16, 8]])
def test_stacked_training_equals_training_of_single_modules(loss, hidden):
    torch.manual_seed(0)
    images, width, models, dropout = 11, 9, 3, (0.25, 0.5)[: len(hidden)]
    counts = torch.randint(1, 6, (images,))
    present = torch.arange(5) < counts[:, None]
    patches = torch.randn(models, images, 5, width) * present[..., None]
    quality = torch.rand(images)
    settings = MlpSettings(
        hidden=hidden, dropout=dropout, loss=loss, epochs=6, batch_images=4, lr=5e-3, weight_decay=0.01
    )
    start = create_model("mlp", width=width, hidden=hidden, dropout=dropout)
    stack = StackedMlps.copies(start, models)
    generator = torch.Generator().manual_seed(5)
    history = list(train_stack(stack, patches, present, quality, settings, generator, lambda: [math.nan] * models))
    assert history[-1]["step"] == 6 * 3
    for model in range(models):
        single = create_model("mlp", width=width, hidden=hidden, dropout=dropout)
        single.load_state_dict(start.state_dict())
        kept = [patches[model, image, : counts[image]] for image in range(images)]
        reference_training(single, kept, quality, settings, torch.Generator().manual_seed(5))
        for layer, weight, bias in zip(single.layers, stack.weights, stack.biases, strict=True):
            torch.testing.assert_close(weight[model], layer.weight.T, atol=1e-4, rtol=1e-4)
            torch.testing.assert_close(bias[model], layer.bias, atol=1e-4, rtol=1e-4)


def test_folded_standardisation_keeps_the_scores():
    torch.manual_seed(0)
    stack = StackedMlps.copies(create_model("mlp", width=7, hidden=[5], dropout=[0.0]), 2)
    raw, mean, scale = torch.randn(20, 7) * 3 + 10, torch.randn(2, 7) + 10, torch.rand(2, 7) + 0.1
    folded = stack.folded(mean, scale).scores(raw)
    for model in range(2):
        plain = stack[model : model + 1].scores((raw - mean[model]) * scale[model])
        torch.testing.assert_close(folded[model : model + 1], plain, atol=1e-4, rtol=1e-4)
