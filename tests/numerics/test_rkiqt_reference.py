"""RKIQT and its distillation compared with their equations, written out head by head and cell by cell."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from iqadistill.models import STUDENTS, create_model
from iqadistill.models.rkiqt.reference_pool import ReferencePool

SIZE, TOKEN, CELLS = 64, 16, 4
RATIO, MCD, INDUCTIVE = 0.4, 0.3, 0.7
MIXERS = {"mixer_width": 8, "difference_depth": 1, "image_depth": 1}


def normalised(tokens, norm):
    """Layer normalisation."""
    mean, variance = tokens.mean(-1, keepdim=True), tokens.var(-1, keepdim=True, unbiased=False)
    return (tokens - mean) / (variance + norm.eps).sqrt() * norm.weight + norm.bias


def linear(tokens, weight, bias):
    return tokens @ weight.T + bias


def gelu(tokens):
    return tokens * (1 + torch.erf(tokens / math.sqrt(2))) / 2


def attended(queries, keys, values, heads):
    """Multi-head attention, head by head."""
    width = queries.shape[-1] // heads
    outputs = []
    for head in range(heads):
        part = slice(head * width, (head + 1) * width)
        affinity = queries[..., part] @ keys[..., part].mT / math.sqrt(width)
        weights = affinity.exp() / affinity.exp().sum(-1, keepdim=True)
        outputs.append(weights @ values[..., part])
    return torch.cat(outputs, -1)


def embedded(model, patches):
    """Class token and linear embedding of each token's pixels, plus position embedding."""
    projection, tokens = model.vit.patch_embed.proj, []
    pixels = (patches - model.mean) / model.std
    for y in range(0, SIZE, TOKEN):
        for x in range(0, SIZE, TOKEN):
            window = pixels[:, :, y : y + TOKEN, x : x + TOKEN]
            tokens.append(torch.einsum("ocyx,bcyx->bo", projection.weight, window) + projection.bias)
    first = model.vit.cls_token[0].expand(len(patches), -1)
    return torch.stack([first, *tokens], 1) + model.vit.pos_embed


def vit_block(tokens, block):
    query, key, value = linear(normalised(tokens, block.norm1), block.attn.qkv.weight, block.attn.qkv.bias).chunk(3, -1)
    mixed = attended(query, key, value, block.attn.num_heads)
    tokens = tokens + linear(mixed, block.attn.proj.weight, block.attn.proj.bias)
    hidden = gelu(linear(normalised(tokens, block.norm2), block.mlp.fc1.weight, block.mlp.fc1.bias))
    return tokens + linear(hidden, block.mlp.fc2.weight, block.mlp.fc2.bias)


def decoder_attention(tokens, others, attention):
    weights, biases = attention.in_proj_weight.chunk(3), attention.in_proj_bias.chunk(3)
    sources = (tokens, others, others)
    query, key, value = (linear(*three) for three in zip(sources, weights, biases, strict=True))
    mixed = attended(query, key, value, attention.num_heads)
    return linear(mixed, attention.out_proj.weight, attention.out_proj.bias)


def decoded(tokens, patch_tokens, decoder):
    """Output tokens of the Transformer decoder."""
    for layer in decoder.layers:
        queries = normalised(tokens, layer.norm1)
        tokens = tokens + decoder_attention(queries, queries, layer.self_attn)
        tokens = tokens + decoder_attention(normalised(tokens, layer.norm2), patch_tokens, layer.multihead_attn)
        hidden = gelu(linear(normalised(tokens, layer.norm3), layer.linear1.weight, layer.linear1.bias))
        tokens = tokens + linear(hidden, layer.linear2.weight, layer.linear2.bias)
    return normalised(tokens, decoder.norm)


def reference_forward(model, patches):
    """Scores (B, 3), and the patch tokens after each block."""
    sequence, depths = embedded(model, patches), []
    added = [model.added[name][0].expand(len(patches), 1, -1) for name in ("conv", "inv")]
    sequence = torch.cat([sequence[:, :1], *added, sequence[:, 1:]], 1)
    for block in model.vit.blocks:
        sequence = vit_block(sequence, block)
        depths.append(sequence[:, 3:])
    sequence = normalised(sequence, model.vit.norm)
    tokens = decoded(sequence[:, :3], sequence[:, 3:], model.decoder)
    heads = [model.heads[name] for name in ("cls", "conv", "inv")]
    scores = [linear(tokens[:, index], head.weight, head.bias) for index, head in enumerate(heads)]
    return torch.cat(scores, 1), depths


def root_mean_square_difference(references):
    """That of a feature between any two cells of the references, over all pairs of cells."""
    channels = []
    for channel in range(references.shape[1]):
        cells = references[:, channel].flatten()
        channels.append(((cells[:, None] - cells[None, :]) ** 2).mean())
    return math.sqrt(sum(channels) / len(channels))


def reference_losses(model, patches, quality, references, masks, nar, regressors, pool):
    """The weighted losses for the given references and masks."""
    scores, depths = reference_forward(model.student, patches)
    parts = {"quality": sum(abs(scores.sum(1) / 3 - quality)) / len(quality), "mcd": 0}
    pristine, maps = nar.project(references), nar.project(patches)
    units = [root_mean_square_difference(stage) for stage in nar.project(pool)]
    for depth in range(4):
        tokens = depths[depth].reshape(len(patches), CELLS, CELLS, -1)
        four = [tokens[:, y : y + 2, x : x + 2].mean((1, 2)) for y in (0, 2) for x in (0, 2)]
        align, (first, _, second) = model.mcd_loss.alignments[depth], model.mcd_loss.generators[depth]
        aligned = torch.stack([linear(cell, align.weight[:, :, 0, 0], align.bias) for cell in four], 2)
        visible = aligned.reshape(len(patches), -1, 2, 2) * masks[depth]
        generated = F.conv2d(visible, first.weight, first.bias, padding=1).clamp_min(0)
        generated = F.conv2d(generated, second.weight, second.bias, padding=1)
        target = (pristine[depth] - maps[depth]) / units[depth]
        parts["mcd"] = parts["mcd"] + MCD * ((target - generated) ** 2).mean()
    for index, token in enumerate(("conv", "inv"), 1):
        head = model.inductive_losses[token].intermediate
        teacher_scores, maps = regressors[token].middle(patches)
        pairs = zip(head.alignments, maps, strict=True)
        first, second, third = (linear(stage.mean((2, 3)), align.weight, align.bias) for align, stage in pairs)
        hidden = gelu(linear((first + second) + third, head.mlp[0].weight, head.mlp[0].bias))
        intermediate = linear(hidden, head.mlp[2].weight, head.mlp[2].bias)[:, 0]
        distances = abs(intermediate - teacher_scores) + abs(intermediate - scores[:, index])
        parts[token] = INDUCTIVE * distances.mean()
    return parts


@pytest.fixture(scope="module")
def student():
    """An RKIQT student with random weights."""
    torch.manual_seed(0)
    settings = {"backbone": "test_vit", "size": SIZE, "depth": 4, "decoder_heads": 4, "decoder_depth": 2}
    model = create_model("rkiqt", **settings).double().eval()
    with torch.no_grad():
        for parameter in model.parameters():  # far from the initial weights, so that no term vanishes
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model


@pytest.fixture(scope="module")
def patches():
    return torch.rand(5, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(2), dtype=torch.float64)


@torch.no_grad()
def test_student_follows_the_equations(student, patches):
    scores, maps = student.tokens_and_maps(patches)
    expected, depths = reference_forward(student, patches)
    torch.testing.assert_close(scores, expected)
    torch.testing.assert_close(student(patches), expected.mean(1))
    for stage, tokens in zip(maps, depths, strict=True):
        torch.testing.assert_close(stage, tokens.mT.reshape(len(patches), -1, CELLS, CELLS))
    assert expected.std(0).min() > 1e-3
    assert expected.std(1).min() > 1e-3


@torch.no_grad()
def test_losses_follow_the_equations(student, patches):
    torch.manual_seed(1)
    nar = create_model("nar_teacher", backbone="test_convnext", size=SIZE, width=6, cells=2, **MIXERS)
    regressors = {token: create_model("regressor", backbone="test_convnext", size=SIZE) for token in ("conv", "inv")}
    pool = ReferencePool(torch.randint(0, 256, (9, 3, SIZE, SIZE), dtype=torch.uint8))
    settings = {"model": "rkiqt", "mcd_weight": MCD, "inductive_weight": INDUCTIVE, "mask_ratio": RATIO}
    model = STUDENTS.create(settings).distilled(student, {"nar": nar, **regressors}, pool).double()
    for layer in model.mcd_loss.modules():
        if isinstance(layer, nn.Conv2d):
            layer.bias.normal_()
    quality = torch.rand(5, generator=torch.Generator().manual_seed(3), dtype=torch.float64)

    torch.manual_seed(4)
    parts = model.losses(patches, quality)
    torch.manual_seed(4)
    pixels = pool.patches.double() / 255
    references = pixels[torch.randint(9, (5,))]
    masks = [(torch.rand(5, 1, 2, 2) >= RATIO).double() for _ in range(4)]
    expected = reference_losses(model, patches, quality, references, masks, nar, regressors, pixels)
    assert list(parts) == list(expected)
    for name, part in expected.items():
        assert part > 1e-3
        torch.testing.assert_close(parts[name], part, rtol=1e-6, atol=1e-9)
