"""Vision Transformers of timm."""

import timm
import torch
from timm.layers import HybridEmbed
from timm.models.vision_transformer import VisionTransformer
from torch import nn

from iqadistill.errors import InputError, nearest
from iqadistill.models.rkiqt.convolutional_stem import ConvolutionalStem


def create_vision_transformer(name: str, pretrained: bool, size: int, depth: int | None) -> VisionTransformer:
    """A Vision Transformer of timm without its classifier, its position code resampled to the grid of patches of `size` pixels.

    Args:
        name: timm's name of it, e.g. "deit3_small_patch16_224".
        pretrained: Whether it has the weights of timm's hub, else random ones.
        size: Side in pixels of the patches.
        depth: How many of its blocks, from the first on, are kept; None for all.

    Raises:
        InputError: timm has no such Vision Transformer or no weights of it, it has no class token, or a setting does not fit it.
    """
    if not timm.is_model(name):
        raise InputError(f"rkiqt: timm has no model {name!r}; {nearest(name, timm.list_models())}")
    if pretrained not in (False, True):
        raise InputError(f"rkiqt: pretrained {pretrained!r}, expected false or true.")
    try:
        vit = timm.create_model(name, pretrained, img_size=size, dynamic_img_size=False)
    # each family refuses a size in its own way, a CNN as an unknown argument; without a way to the hub it is an OSError
    except (RuntimeError, AssertionError, TypeError, ValueError, OSError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(
            f"rkiqt: no {name} for patches of {size} pixels with pretrained {pretrained} ({reason}); choose a Vision Transformer "
            "of timm, another size, or pretrained: false."
        ) from None
    if not isinstance(vit, VisionTransformer) or vit.cls_token is None:
        raise InputError(
            f"rkiqt: {name} is no Vision Transformer with a class token; choose e.g. deit3_small_patch16_224."
        )
    if size % vit.patch_embed.patch_size[0]:
        raise InputError(
            f"rkiqt: size {size}, expected a multiple of the {vit.patch_embed.patch_size[0]} pixels of a token."
        )
    if depth is not None:
        if not 1 <= depth <= len(vit.blocks):
            raise InputError(f"rkiqt: depth {depth}, expected 1 to the {len(vit.blocks)} blocks of {name}.")
        vit.blocks = vit.blocks[:depth]
    vit.reset_classifier(0, "")
    return vit


def give_stem(vit: VisionTransformer, name: str, pretrained: bool | str) -> None:
    """Let a CNN cut the patches into tokens: its stage of the stride of a token, then a linear projection (timm's HybridEmbed).

    Args:
        vit: Changed in place; the grid of its tokens stays the same, and so does its position code.
        name: A CNN of timm, see `ConvolutionalStem`.
        pretrained: Its weights, see `ConvolutionalStem`.

    Raises:
        InputError: As `ConvolutionalStem`.
    """
    embed = vit.patch_embed
    stem = ConvolutionalStem(name, pretrained, embed.patch_size[0])
    vit.patch_embed = HybridEmbed(stem, img_size=embed.img_size, patch_size=1, embed_dim=vit.embed_dim)


def normalisation(network: nn.Module) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and deviation (3, 1, 1) of the pixels that a network of timm is meant for."""
    mean, std = (torch.tensor(network.pretrained_cfg[key]).view(-1, 1, 1) for key in ("mean", "std"))
    return mean, std
