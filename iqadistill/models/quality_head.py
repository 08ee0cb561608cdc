"""Where a network's features become a score."""

from torch import nn


def quality_head(width: int) -> nn.Linear:
    """A linear layer from `width` numbers to a score that starts at 0.5, the middle of quality's [0, 1], for every patch.

    With random weights the first scores of a backbone with large features lie far outside [0, 1], and the way back costs epochs.
    """
    head = nn.Linear(width, 1)
    nn.init.zeros_(head.weight)
    nn.init.constant_(head.bias, 0.5)
    return head
