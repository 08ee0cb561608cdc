"""What the work of all of a study's jobs is counted from: its settings and the numbers of images alone."""

import functools
from collections.abc import Mapping

from iqadistill.config.jobs.job import Job
from iqadistill.config.jobs.plan import Plan
from iqadistill.patches.reading import reduction
from iqadistill.pricing.images import count_images
from iqadistill.pricing.networks import NetworkCount, count_encoder
from iqadistill.sampling.settings import FlatSamplerSettings, SamplerSettings
from iqadistill.selection.base import keep_count

VIEWED = 48.0  # effort of a viewport, compared with a crop of as many pixels


class CountedStudy:
    """A study with its images counted.

    Args:
        plan: The study's jobs.

    Attributes:
        plan: The study's jobs.
        study: The study.
        images: Function from the name of a dataset to its `ImageCount`.
        missing: A sentence for each dataset that could not be counted; its work is left out.
    """

    def __init__(self, plan: Plan):
        self.plan, self.study = plan, plan.study
        self.images = functools.cache(lambda dataset: count_images(plan, dataset))
        datasets = dict.fromkeys(job.names["dataset"] for job in plan.jobs.values() if job.rule == "index_dataset")
        self.missing = [note for name in datasets if (note := self.images(name).missing)]

    def encoder(self, names: Mapping[str, str]) -> NetworkCount:
        """The encoder of a job with these names, at the size of its patches."""
        return count_encoder(self.study.encoders[names["encoder"]], self.study.samplers[names["sampler"]].size)

    def shares(self, dataset: str) -> tuple[float, float]:
        """Numbers of training and validation images of a split."""
        evaluation, scored = self.study.evaluation, self.images(dataset).scored
        train = scored * (1 - evaluation.test_fraction - evaluation.val_fraction)
        return train, scored * evaluation.val_fraction

    def scale(self, dataset: str, sampler: str, size: int) -> float:
        """Factor by which the images of a dataset are reduced before crops are cut to `size` from them."""
        images, settings = self.images(dataset), self.study.samplers[sampler]
        if not isinstance(settings, FlatSamplerSettings):
            return 1.0
        return reduction(settings.rule.crop_side(images.width, images.height), size)

    def scoring_patches(self, job: Job, sampler: str, keep: float) -> int:
        """Patches of an image that a prediction takes."""
        count = self.study.samplers[sampler].count
        taken = keep_count(count, keep) if job.params["test_patches"] == "kept" else count
        return min(taken, int(job.params["max_test_patches"]) or taken)


def cutting_effort(sampler: SamplerSettings) -> float:
    """Effort of cutting a sampler's patch from a decoded image, compared with a crop of as many pixels."""
    return VIEWED if sampler.kind == "sphere" and getattr(sampler, "projection", "viewport") == "viewport" else 1.0
