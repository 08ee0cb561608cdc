"""The student with a class token and tokens for the inductive biases of convolution and involution."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from iqadistill.errors import InputError
from iqadistill.models.rkiqt.decoder import QualityDecoder
from iqadistill.models.rkiqt.vision_transformer import create_vision_transformer, give_stem, normalisation

TOKENS = ("cls", "conv", "inv")
HEADS = ("decoder", "linear")
DEPTHS = 4


class RKIQT(nn.Module):
    """Student of arXiv 2312.00591, for which there is no public code: all that scores a picture, without any teacher.

    Beside the class token of a Vision Transformer, a Conv and an Inv token go through its blocks, learned, their position included. A
    quality-aware decoder refines the three by the patch tokens, a linear layer each makes them scores, and the patch's score is
    their mean. The teachers of `iqadistill.models.rkiqt.distillation.RKIQTDistillation` only train it.

    Args:
        backbone: A Vision Transformer of timm with a class token.
        pretrained: Whether it has the weights of timm's hub, else random ones.
        size: Side in pixels of the patches, a multiple of a token's.
        depth: How many of its blocks, from the first on, are kept; None for all.
        stem: A CNN of timm whose stage of a token's stride takes the place of the linear patch embedding; None for none.
        stem_pretrained: Its weights: False, True (timm's hub) or "packaged" (EfficientNet-Lite0's).
        head: "decoder", or "linear": a plain Vision Transformer, one linear layer on the class token; the settings below are then idle.
        tokens: "cls", and which of "conv" and "inv".
        decoder_depth: Layers of the decoder.
        decoder_heads: Heads of its attention.

    Attributes:
        tokens: Those that are scored, in the order of the scores.
        width: Numbers a token.

    Raises:
        InputError: A setting is none of those offered or out of range.
    """

    def __init__(
        self,
        backbone: str = "deit3_small_patch16_224",
        pretrained: bool = False,
        size: int = 224,
        depth: int | None = None,
        stem: str | None = None,
        stem_pretrained: bool | str = False,
        head: str = "decoder",
        tokens: Sequence[str] = TOKENS,
        decoder_depth: int = 1,
        decoder_heads: int = 6,
    ):
        super().__init__()
        if head not in HEADS:
            raise InputError(f"rkiqt: head {head!r}, expected {' or '.join(HEADS)}.")
        self.tokens = tuple(tokens) if head == "decoder" else ("cls",)
        if (
            self.tokens[:1] != ("cls",)
            or len(set(self.tokens)) < len(self.tokens)
            or not set(self.tokens) <= set(TOKENS)
        ):
            raise InputError(f"rkiqt: tokens {list(tokens)}, expected cls first, then conv, inv, both or none.")
        self.size = size
        self.vit = create_vision_transformer(backbone, pretrained, size, depth)
        self.width = self.vit.embed_dim
        if stem:
            give_stem(self.vit, stem, stem_pretrained)
        mean, std = normalisation(self.backbone.network if stem else self.vit)
        self.register_buffer("mean", mean, persistent=False)
        self.register_buffer("std", std, persistent=False)
        self.added = nn.ParameterDict({name: 0.02 * torch.randn(1, 1, self.width) for name in self.tokens[1:]})
        self.decoder = QualityDecoder(self.width, decoder_depth, decoder_heads) if head == "decoder" else None
        self.heads = nn.ModuleDict({name: nn.Linear(self.width, 1) for name in self.tokens})

    @property
    def backbone(self) -> nn.Module:
        """What may have a learning rate of its own: the stem, or without one the Vision Transformer."""
        return getattr(self.vit.patch_embed, "backbone", self.vit)

    def forward(self, patches: Tensor) -> Tensor:
        """Scores (B,) of patches (B, 3, size, size) in [0, 1]."""
        return self.tokens_and_maps(patches)[0].mean(1)

    def tokens_and_maps(self, patches: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Each token's score, and what the patch tokens hold at four depths.

        Args:
            patches: (B, 3, size, size) in [0, 1].

        Returns:
            Scores (B, T) in the order of `tokens`, and the patch tokens as maps (B, width, cells, cells), not normalised, after
            four blocks, evenly spread up to the last one; of fewer than four blocks some are given twice.

        Raises:
            InputError: The patches are of another size.
        """
        if patches.shape[-2:] != (self.size, self.size):
            raise InputError(
                f"rkiqt: patches of {patches.shape[-1]} x {patches.shape[-2]} pixels for a student of size {self.size}; sample or "
                "resize them to that."
            )
        sequence, blocks = self._embed((patches - self.mean) / self.std), self.vit.blocks
        first = sequence.shape[1] - self.vit.patch_embed.num_patches
        depths = []
        for block in blocks:
            sequence = block(sequence)
            depths.append(sequence[:, first:])
        taken = [depths[-(-number * len(blocks) // DEPTHS) - 1] for number in range(1, DEPTHS + 1)]
        return self._scores(sequence, first), [self._map(depth) for depth in taken]

    def _embed(self, pixels: Tensor) -> Tensor:
        """Class token and what else the Vision Transformer puts first, the added tokens, the patch tokens."""
        sequence = self.vit._pos_embed(self.vit.patch_embed(pixels))
        prefix = self.vit.num_prefix_tokens
        added = [token.expand(len(pixels), -1, -1) for token in self.added.values()]
        return self.vit.norm_pre(torch.cat([sequence[:, :prefix], *added, sequence[:, prefix:]], 1))

    def _scores(self, sequence: Tensor, first: int) -> Tensor:
        sequence = self.vit.fc_norm(self.vit.norm(sequence))  # one of the two is the identity
        tokens = torch.cat([sequence[:, :1], sequence[:, self.vit.num_prefix_tokens : first]], 1)
        if self.decoder:
            tokens = self.decoder(tokens, sequence[:, first:])
        return torch.cat([head(tokens[:, place]) for place, head in enumerate(self.heads.values())], 1)

    def _map(self, patch_tokens: Tensor) -> Tensor:
        return patch_tokens.mT.unflatten(2, self.vit.patch_embed.grid_size)
