"""The work of embedding patches, and of ranking them by their embeddings."""

from iqadistill.config.jobs.job import Job
from iqadistill.encoders.shards import GATHERED, MOVED
from iqadistill.pricing.counted_study import CountedStudy, cutting_effort
from iqadistill.pricing.processes import PROCESS_WITH_TORCH, process_memory
from iqadistill.pricing.work import WORKSPACE, Work
from iqadistill.selection.settings import SelectorSettings
from iqadistill.tables import RANDOM

ITERATIONS = {"irls": 10, "published": 50}  # of a residual selector; of irls the work of so many published ones
# Operations in whose time a selector calls what computes, for one image: 5 ms of a residual one, 1.7 ms of others.
RESIDUAL_CALLS, OTHER_CALLS = 150e6, 50e6
RANK_ROW = 26  # bytes of a row of rankings, compressed


def embed_patches(counts: CountedStudy, job: Job) -> Work:
    """Decoding, cutting, and a pass of every patch, of a whole dataset or of the part of one shard."""
    images, sampler = counts.images(job.names["dataset"]), counts.study.samplers[job.names["sampler"]]
    shards, network = job.params.get("shards", 1), counts.encoder(job.names)
    embedded, stored = images.total / shards, stored_bytes(counts, job) / shards
    patches = embedded * sampler.count
    size = counts.study.encoders[job.names["encoder"]].size or sampler.size
    scale = counts.scale(job.names["dataset"], job.names["sampler"], size)
    return Work(
        forward_passes=patches,
        encoder_flops=patches * network.flops,
        decoded=embedded * images.effort_of(scale),
        cut=patches * sampler.size**2 * cutting_effort(sampler),
        disk=stored,
        memory=PROCESS_WITH_TORCH + WORKSPACE + 2 * stored + 4 * network.parameters + 24 * images.pixels,
    )


def gather_shards(counts: CountedStudy, job: Job) -> Work:
    """The embeddings of all shards, read and written."""
    held = GATHERED + MOVED / len(job.inputs["shards"])
    return Work(disk=stored_bytes(counts, job), memory=process_memory(job) + held * embedded_numbers(counts, job))


def stored_bytes(counts: CountedStudy, job: Job) -> float:
    """Bytes of an embeddings table."""
    number = 2 if counts.study.encoders[job.names["encoder"]].dtype == "float16" else 4
    return number * embedded_numbers(counts, job)


def embedded_numbers(counts: CountedStudy, job: Job) -> float:
    """Number of values in an embeddings table."""
    images, sampler = counts.images(job.names["dataset"]), counts.study.samplers[job.names["sampler"]]
    return images.total * sampler.count * counts.encoder(job.names).width


def select_patches(counts: CountedStudy, job: Job) -> Work:
    """A ranking of the patches of every image."""
    images, selector = counts.images(job.names["dataset"]), counts.study.selectors[job.names["selector"]]
    patches, width = counts.study.samplers[job.names["sampler"]].count, counts.encoder(job.names).width
    rows = images.total * patches
    return Work(
        selection_flops=images.total * selection_flops(selector, patches, width),
        selection_calls=images.total * selection_calls(selector),
        disk=2 * RANK_ROW * rows,
        memory=process_memory(job) + 24 * rows * width,  # the table, and in double precision with a copy
    )


def selection_flops(selector: SelectorSettings, patches: int, width: int) -> float:
    """Operations of a selector on one image, roughly: its n x n similarities, and a residual selector's iterations.

    Args:
        selector: Settings of the selector.
        patches: Number n of patches of the image.
        width: Length of an embedding.
    """
    if selector.method == RANDOM:
        return 0.0
    similarities = 2.0 * patches**2 * width
    solver = getattr(selector, "solver", None)
    if solver is None:
        return similarities
    components = min(int(getattr(selector, "n_components", 1)), patches)
    systems = patches**2 * width + patches**3 / 3 + 4 * patches * width * components  # Gram matrix, Cholesky, products
    return similarities + ITERATIONS[solver] * systems


def selection_calls(selector: SelectorSettings) -> float:
    """Operations in whose time a selector calls what computes, for one image."""
    if selector.method == RANDOM:
        return 0.0
    return RESIDUAL_CALLS if hasattr(selector, "solver") else OTHER_CALLS
