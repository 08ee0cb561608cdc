"""RKIQT student: a Vision Transformer with tokens for the inductive biases of convolution and involution."""

import torch
from torch import Tensor, nn

from iqadistill.errors import InputError
from iqadistill.models.rkiqt.decoder import QualityDecoder
from iqadistill.models.rkiqt.vision_transformer import (
    create_vision_transformer,
    normalisation,
    replace_patch_embedding,
)
from iqadistill.models.students.rkiqt import RkiqtSettings

DEPTHS = 4


class RKIQT(nn.Module):
    """Student of arXiv 2312.00591, for which there is no public code: all that scores an image, without any teacher.

    In addition to the class token of a Vision Transformer, a Conv and an Inv token pass through its blocks; they are
    learned, their position included. A quality-aware decoder refines the three by the patch tokens, one linear layer
    each turns them into scores, and the patch's score is their mean. The teachers of
    `iqadistill.models.rkiqt.distillation.RKIQTDistillation` are needed for training only.

    Args:
        settings: Settings of the student; those of the distillation have no effect here.
        size: Side in pixels of the patches, a multiple of a token's side.

    Attributes:
        tokens: Tokens that are scored, in the order of the scores.
        width: Length of a token.

    Raises:
        InputError: The backbone, the stem or their weights do not exist, or a setting does not fit them.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, settings: RkiqtSettings, size: int):
        super().__init__()
        self.tokens = settings.scored_tokens()
        self.size = size
        self.vit = create_vision_transformer(settings.backbone, settings.weights, size, settings.depth)
        self.width = self.vit.embed_dim
        network: nn.Module = self.vit
        if settings.stem:
            network = replace_patch_embedding(self.vit, settings.stem, settings.stem_weights).network
        mean, std = normalisation(network)
        self.register_buffer("mean", mean, persistent=False)
        self.register_buffer("std", std, persistent=False)
        self.added = nn.ParameterDict({name: 0.02 * torch.randn(1, 1, self.width) for name in self.tokens[1:]})
        self.decoder = None
        if settings.head == "decoder":
            self.decoder = QualityDecoder(self.width, settings.decoder_depth, settings.decoder_heads)
        self.heads = nn.ModuleDict({name: nn.Linear(self.width, 1) for name in self.tokens})

    @property
    def backbone(self) -> nn.Module:
        """The part with a separate learning rate: the stem, or without one the Vision Transformer."""
        return getattr(self.vit.patch_embed, "backbone", self.vit)

    def forward(self, patches: Tensor) -> Tensor:
        """Scores (B,) of patches (B, 3, size, size) in [0, 1]."""
        return self.tokens_and_maps(patches)[0].mean(1)

    def tokens_and_maps(self, patches: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Scores of the tokens, and the patch tokens at four depths.

        Args:
            patches: Patches (B, 3, size, size) in [0, 1].

        Returns:
            Scores (B, T) in the order of `tokens`, and the patch tokens as maps (B, width, cells, cells), not
            normalised, after four blocks, evenly spread up to the last one; with fewer than four blocks some are
            returned twice.

        Raises:
            InputError: The patches are of another size.
        """
        if patches.shape[-2:] != (self.size, self.size):
            raise InputError(
                f"rkiqt: patches of {patches.shape[-1]} x {patches.shape[-2]} pixels for a student of size "
                f"{self.size}; sample or resize them to that."
            )
        sequence, blocks = self._embed((patches - self.mean) / self.std), self.vit.blocks
        first = sequence.shape[1] - self.vit.patch_embed.num_patches
        depths = []
        for block in blocks:
            sequence = block(sequence)
            depths.append(sequence[:, first:])
        spread = [depths[-(-part * len(blocks) // DEPTHS) - 1] for part in range(1, DEPTHS + 1)]
        return self._scores(sequence, first), [self._map(depth) for depth in spread]

    def _embed(self, pixels: Tensor) -> Tensor:
        """Prefix tokens of the Vision Transformer, class token first, then the added tokens and the patch tokens."""
        sequence = self.vit._pos_embed(self.vit.patch_embed(pixels))
        prefix = self.vit.num_prefix_tokens
        added = [token.expand(len(pixels), -1, -1) for token in self.added.values()]
        return self.vit.norm_pre(torch.cat([sequence[:, :prefix], *added, sequence[:, prefix:]], 1))

    def _scores(self, sequence: Tensor, first: int) -> Tensor:
        sequence = self.vit.fc_norm(self.vit.norm(sequence))  # one of the two is the identity
        tokens = torch.cat([sequence[:, :1], sequence[:, self.vit.num_prefix_tokens : first]], 1)
        if self.decoder:
            tokens = self.decoder(tokens, sequence[:, first:])
        return torch.cat([head(tokens[:, index]) for index, head in enumerate(self.heads.values())], 1)

    def _map(self, patch_tokens: Tensor) -> Tensor:
        return patch_tokens.mT.unflatten(2, self.vit.patch_embed.grid_size)
