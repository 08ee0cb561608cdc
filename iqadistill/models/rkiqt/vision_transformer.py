"""Vision Transformers of timm as backbones of the RKIQT student."""

from typing import cast

import torch
from timm.layers import HybridEmbed
from timm.models.vision_transformer import VisionTransformer
from torch import nn

from iqadistill.errors import InputError
from iqadistill.models.pretrained import TimmNetwork, create_pretrained
from iqadistill.models.rkiqt.convolutional_stem import ConvolutionalStem


def create_vision_transformer(name: str, weights: str, size: int, depth: int | None) -> VisionTransformer:
    """A Vision Transformer of timm without its classifier, its position embedding resampled to the patches' grid.

    Args:
        name: timm's name of the network, e.g. "deit3_small_patch16_224".
        weights: "hub", "none" or a file's path, see `iqadistill.models.pretrained.create_pretrained`.
        size: Side in pixels of the patches.
        depth: Number of blocks that are kept, the first ones; None for all.

    Raises:
        InputError: timm has no such Vision Transformer or no such weights of it, it has no class token, or a setting
            does not fit it.
    """
    vit = create_pretrained(name, weights, where="backbone", img_size=size, dynamic_img_size=False)
    if not isinstance(vit, VisionTransformer) or vit.cls_token is None:
        raise InputError(
            f"backbone {name}: not a Vision Transformer with a class token; choose e.g. deit3_small_patch16_224."
        )
    if size % vit.patch_embed.patch_size[0]:
        raise InputError(
            f"rkiqt: size {size}, expected a multiple of the {vit.patch_embed.patch_size[0]} pixels of a token."
        )
    if depth is not None:
        if depth > len(vit.blocks):
            raise InputError(f"rkiqt: depth {depth}, expected 1 to the {len(vit.blocks)} blocks of {name}.")
        vit.blocks = vit.blocks[:depth]
    vit.reset_classifier(0, "")
    return vit


def replace_patch_embedding(vit: VisionTransformer, name: str, weights: str) -> ConvolutionalStem:
    """Replace the linear patch embedding by a CNN's stage of a token's stride and a projection (timm's HybridEmbed).

    Args:
        vit: Vision Transformer, changed in place; the grid of its tokens and its position embedding stay the same.
        name: timm's name of the CNN, see `ConvolutionalStem`.
        weights: Weights of the CNN, see `ConvolutionalStem`.

    Returns:
        The CNN's stage.

    Raises:
        InputError: As `ConvolutionalStem`.
    """
    embed = vit.patch_embed
    stem = ConvolutionalStem(name, weights, embed.patch_size[0])
    vit.patch_embed = HybridEmbed(stem, img_size=embed.img_size, patch_size=1, embed_dim=vit.embed_dim)
    return stem


def normalisation(network: nn.Module) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and standard deviation (3, 1, 1) of the pixels that a network of timm was trained with."""
    config = cast(TimmNetwork, network).pretrained_cfg
    mean, std = (torch.tensor(config[key]).view(-1, 1, 1) for key in ("mean", "std"))
    return mean, std
