"""Relative ranking loss within a batch."""

import torch.nn.functional as F
from torch import Tensor, nn

SMALLEST_BATCH = 4


class RelativeRankingLoss(nn.Module):
    """Relative ranking of the two best and the two worst patches of a batch sorted by quality y:

        L_RR = [ |q_min - q_min'| - |q_min - q_max| + m (y_max - y_min') ]+
             + [ |q_max - q_max'| - |q_max - q_min| + m (y_max' - y_min) ]+,

    q the predicted scores, min and min' the lowest and second lowest patch, max and max' the highest and second
    highest, m the scale of the margins: the second lowest must lie nearer to the lowest than the highest does, by the
    difference of their qualities, and likewise from above. arXiv 2409.07115 (after TReS, arXiv 2108.06858),
    github.com/MAS94/ADTRS. Like the quality loss it is homogeneous: scores and qualities on a scale s times as long
    give a loss s times as large, so that the ratio of the two does not depend on the scale.

    A batch of fewer than four patches has a loss of 0.

    Args:
        margin_scale: Scale of the margins, m; 1 is the paper's, with 0 only the order counts.
    """

    def __init__(self, margin_scale: float):
        super().__init__()
        self.margin_scale = margin_scale

    def forward(self, scores: Tensor, quality: Tensor) -> Tensor:
        """Loss () of predicted scores (B,) against quality (B,); equal qualities keep their order in the batch."""
        if len(scores) < SMALLEST_BATCH:
            return 0 * scores.sum()
        ends = quality.argsort(stable=True)[[0, 1, -2, -1]]
        low, second_low, second_high, high = scores[ends]
        y_low, y_second_low, y_second_high, y_high = quality[ends]
        spread = (high - low).abs()
        from_below = (low - second_low).abs() - spread + self.margin_scale * (y_high - y_second_low)
        from_above = (high - second_high).abs() - spread + self.margin_scale * (y_second_high - y_low)
        return F.relu(from_below) + F.relu(from_above)
