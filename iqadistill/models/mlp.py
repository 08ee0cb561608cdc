"""MLP student on frozen embeddings."""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import nn

from iqadistill.errors import InputError
from iqadistill.models.students.mlp import MlpSettings


class MLP(nn.Module):
    """Fully connected layers from an embedding to a score: Linear, ReLU and dropout per hidden width, then Linear.

    The default head is the one of the authors of arXiv 2412.12667, 1024 and 512 wide.

    Args:
        width: Length of an embedding.
        settings: Hidden widths and dropout rates.
        generator: Generator of the initial weights; default: torch's global one.

    Raises:
        InputError: The width is below 1.
    """

    def __init__(self, width: int, settings: MlpSettings, generator: torch.Generator | None = None):
        super().__init__()
        if width < 1:
            raise InputError(f"mlp: width {width}, expected at least 1; give the length of an embedding.")
        self.dropout = settings.dropout
        self.layers = nn.ModuleList(nn.Linear(*pair) for pair in pairwise([width, *settings.hidden, 1]))
        for layer in self.linear_layers():
            bound = layer.in_features**-0.5
            nn.init.uniform_(layer.weight, -bound, bound, generator=generator)
            nn.init.uniform_(layer.bias, -bound, bound, generator=generator)

    def linear_layers(self) -> list[nn.Linear]:
        """The layers in order."""
        return [layer for layer in self.layers if isinstance(layer, nn.Linear)]

    def forward(self, embeddings: torch.Tensor) -> torch.Tensor:
        """Scores (B,) of embeddings (B, width)."""
        *hidden, last = self.layers
        for layer, rate in zip(hidden, self.dropout, strict=True):
            embeddings = F.dropout(F.relu(layer(embeddings)), rate, self.training)
        return last(embeddings).squeeze(-1)
