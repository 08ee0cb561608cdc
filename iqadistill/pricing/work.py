"""The work of a job."""

from dataclasses import dataclass

from iqadistill.pricing.processes import PROCESS

WORKSPACE = 0.3e9  # bytes that convolutions take besides
SCORE_ROW = 9  # bytes of a row of predictions, compressed


@dataclass
class Work:
    """The work of a job.

    Attributes:
        trainings: Number of networks that are trained.
        forward_passes: Passes of a patch through a deep network or an encoder, without gradient.
        training_passes: Passes with gradient: forward and backward.
        encoder_flops: Operations of passes through encoders.
        forward_flops: Operations of the other passes without gradient.
        training_flops: Operations of passes with gradient.
        mlp_flops: Operations of MLPs.
        selection_flops: Operations of selectors, and of the regressions of `learned`.
        selection_calls: Operations in whose time selectors call what computes, which counts where patches are few.
        decoded: Pixels of images that are decoded, as of PNG files.
        cut: Pixels of patches that are cut, as of crops.
        rendered: Pixels of images that are rendered.
        searched: Pixels of images that a sampler of scanpaths looks at.
        evaluated: Rows of predictions times draws of contents.
        download: Bytes that are downloaded, or fetched by hand.
        disk: Bytes of results.
        temporary: Bytes of a temporary file.
        memory: Bytes of memory at the peak, of the host or of the card.
    """

    trainings: int = 0
    forward_passes: float = 0.0
    training_passes: float = 0.0
    encoder_flops: float = 0.0
    forward_flops: float = 0.0
    training_flops: float = 0.0
    mlp_flops: float = 0.0
    selection_flops: float = 0.0
    selection_calls: float = 0.0
    decoded: float = 0.0
    cut: float = 0.0
    rendered: float = 0.0
    searched: float = 0.0
    evaluated: float = 0.0
    download: float = 0.0
    disk: float = 0.0
    temporary: float = 0.0
    memory: float = PROCESS

    @property
    def flops(self) -> float:
        """Operations of all networks and selectors."""
        return self.encoder_flops + self.forward_flops + self.training_flops + self.mlp_flops + self.selection_flops
