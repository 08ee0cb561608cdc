"""The work of jobs on datasets: retrieval, rendering, indexing, sampling of patches."""

from iqadistill.config.jobs.job import Job
from iqadistill.pricing.counted_study import CountedStudy
from iqadistill.pricing.processes import PROCESS
from iqadistill.pricing.work import Work

IMAGE_ROW, PATCH_ROW = 100, 24  # bytes of a row of the tables of images and patches, compressed


def retrieve_dataset(counts: CountedStudy, job: Job) -> Work:
    """Official files, and the images that are taken out of them."""
    images = counts.images(job.names["dataset"])
    return Work(download=images.download, disk=images.download + images.stored)


def render_dataset(counts: CountedStudy, job: Job) -> Work:
    """Images that are rendered and written."""
    images = counts.images(job.names["dataset"])
    return Work(rendered=images.total * images.pixels, disk=images.stored, memory=PROCESS + 12 * images.pixels)


def index_dataset(counts: CountedStudy, job: Job) -> Work:
    """Images that are decoded once, as a check."""
    images = counts.images(job.names["dataset"])
    return Work(decoded=images.total * images.effort, disk=IMAGE_ROW * images.total)


def sample_patches(counts: CountedStudy, job: Job) -> Work:
    """Places of patches; scanpaths are drawn on decoded images."""
    images, sampler = counts.images(job.names["dataset"]), counts.study.samplers[job.names["sampler"]]
    looks = sampler.method == "sp" and not sampler.files()
    seen = images.total if looks else 0
    return Work(
        decoded=seen * images.effort,
        searched=seen * images.pixels,
        disk=PATCH_ROW * images.total * sampler.count,
    )
