"""The student on frozen embeddings."""

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import nn

from iqadistill.errors import InputError


class MLP(nn.Module):
    """Fully connected layers from an embedding to one score: Linear, ReLU, dropout for each hidden width, then Linear.

    The default head is the one of the authors of arXiv 2412.12667, 1024 and 512 wide.

    Args:
        width: Entries of an embedding.
        hidden: Widths of the hidden layers; none makes the model linear.
        dropout: Rate after each hidden layer, in [0, 1).
        generator: Source of the initial weights; default: torch's global one.

    Raises:
        InputError: A width below 1, or a dropout rate missing, superfluous or out of range.
    """

    def __init__(
        self,
        width: int,
        hidden: Sequence[int] = (1024, 512),
        dropout: Sequence[float] = (0.5, 0.25),
        generator: torch.Generator | None = None,
    ):
        super().__init__()
        if min(width, *hidden, 1) < 1:
            raise InputError(f"mlp: widths {[width, *hidden]} must all be at least 1; correct width or hidden.")
        if len(dropout) != len(hidden) or not all(0 <= rate < 1 for rate in dropout):
            raise InputError(
                f"mlp: dropout {list(dropout)} does not fit hidden {list(hidden)}; give a rate in [0, 1) for each width."
            )
        self.dropout = tuple(dropout)
        widths = [width, *hidden, 1]
        self.layers = nn.ModuleList(nn.Linear(*pair) for pair in pairwise(widths))
        for layer in self.layers:
            bound = layer.in_features**-0.5
            nn.init.uniform_(layer.weight, -bound, bound, generator=generator)
            nn.init.uniform_(layer.bias, -bound, bound, generator=generator)

    def forward(self, embeddings: torch.Tensor) -> torch.Tensor:
        """Scores (B,) of embeddings (B, width)."""
        *hidden, last = self.layers
        for layer, rate in zip(hidden, self.dropout, strict=True):
            embeddings = F.dropout(F.relu(layer(embeddings)), rate, self.training)
        return last(embeddings).squeeze(-1)
