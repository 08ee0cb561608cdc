"""Attention down-sampling: attention that halves the resolution of a map."""

from timm.models.efficientformer_v2 import Attention2dDownsample
from torch import Tensor, nn

KEYS, VALUES_A_KEY = 256, 4  # channels of the keys of all heads together, and values for each of them


class AttentionDownsampling(Attention2dDownsample):
    """Attention from maps (B, width, n, n) to (B, width, ceil(n / 2), ceil(n / 2)).

    With T the map, DW a depthwise 3 x 3 convolution of stride 2 and BN batch normalisation after a 1 x 1 convolution,

        Q = BN(DW(T) + every second cell of T),  K = BN(T),  V = BN(T),  L = DW(V), normalised,
        O = BN(ReLU(softmax(Q K^T / sqrt(d) + b) V + L)),

    d = 256 / heads the width of a head's queries and keys, 4 d that of its values, and b one number per head and offset
    |dy|, |dx| between the cells of query and key: the attention down-sampling of EfficientFormer-V2 (arXiv 2212.08059,
    github.com/snap-research/EfficientFormer), as implemented in timm, with ReLU as in arXiv 2409.07115. More heads are
    narrower, so that their number changes neither operations nor parameters but b.

    Args:
        width: Number of channels in and out.
        cells: Cells a side of the input, n.
        heads: Number of heads, a divisor of 256; 16 in the release of arXiv 2409.07115.
    """

    attention_bias_idxs: Tensor

    def __init__(self, width: int, cells: int, heads: int = 16):
        super().__init__(width, KEYS // heads, heads, VALUES_A_KEY, resolution=cells, act_layer=nn.ReLU)

    def get_attention_biases(self, device: object) -> Tensor:
        """Biases (heads, queries, keys), without timm's cache, which would outlive new weights loaded in eval mode."""
        return self.attention_biases[:, self.attention_bias_idxs]
