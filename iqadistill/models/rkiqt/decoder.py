"""Quality-aware decoder of the RKIQT student."""

from torch import Tensor, nn

from iqadistill.errors import InputError


class QualityDecoder(nn.Module):
    """Quality-aware decoder: pre-norm Transformer decoder layers, then layer normalisation.

    The queries are the tokens that are scored: in each layer they attend to one another, then to the patch tokens, then
    pass a feed-forward network four times as wide, with GELU. DEIQT (github.com/narthchin/DEIQT), from whose decoder
    arXiv 2312.00591 starts, adds learned queries to the class token; there is no dropout here.

    Args:
        width: Length of a token.
        depth: Number of layers.
        heads: Number of heads of each attention.

    Raises:
        InputError: The heads do not divide the width.
    """

    def __init__(self, width: int, depth: int, heads: int):
        super().__init__()
        if width % heads:
            raise InputError(
                f"rkiqt: decoder_heads {heads}, expected a number that divides the width {width} of the Vision "
                "Transformer."
            )
        self.layers = nn.ModuleList(
            nn.TransformerDecoderLayer(width, heads, 4 * width, 0.0, "gelu", batch_first=True, norm_first=True)
            for _ in range(depth)
        )
        self.norm = nn.LayerNorm(width)

    def forward(self, tokens: Tensor, patch_tokens: Tensor) -> Tensor:
        """Refined tokens (B, T, width) of tokens (B, T, width), given patch tokens (B, N, width)."""
        for layer in self.layers:
            tokens = layer(tokens, patch_tokens)
        return self.norm(tokens)
