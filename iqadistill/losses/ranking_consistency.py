"""Consistency loss between the ranking losses of two views."""

from torch import Tensor, nn


class RankingConsistencyLoss(nn.Module):
    """|L_RR(I) - sg L_RR(tI)| + |L_RR(tI) - sg L_RR(I)|, sg the stop-gradient: each view is pulled towards the other.

    arXiv 2409.07115, github.com/MAS94/ADTRS.
    """

    def forward(self, ranking: Tensor, transformed_ranking: Tensor) -> Tensor:
        """Loss () from the relative ranking losses () of a batch and of its transform."""
        return (ranking - transformed_ranking.detach()).abs() + (transformed_ranking - ranking.detach()).abs()
