"""What the process of a job takes before any work: a card or none, and the seconds and memory of its imports."""

from iqadistill.config.jobs.job import Job
from iqadistill.pricing.rates import Rates

WITH_TIMM = (
    *("embed_patches", "embed_shard", "pretrain_teacher", "train_student"),
    *("predict", "predict_cross", "time_budgets"),
)
"""Rules of deep networks."""

ON_CARD = (
    *WITH_TIMM,
    *("train_mlps", "predict_mlps", "predict_patches", "train_random_draws", "train_on_chosen"),
)
"""Rules that hold a card where there is one."""

_CUT_PATCHES = {
    "select_patches": "iqadistill.selection.selectors.thumbnail",
    "score_budgets": "iqadistill.selection.selectors.thumbnail",
    "plot_selection": "iqadistill.figures.kept_patches",
}
"""Registered files that need PyTorch to cut patches, by the rules without networks that run them."""

PROCESS, PROCESS_WITH_TORCH = 0.2e9, 0.7e9  # bytes of memory before any work


def imports_torch(job: Job) -> bool:
    """Whether a job imports PyTorch."""
    return job.rule in ON_CARD or _CUT_PATCHES.get(job.rule) in job.modules


def import_seconds(job: Job, rates: Rates) -> float:
    """Seconds in which a job imports what it needs."""
    if job.rule in WITH_TIMM:
        return rates.timm_imports
    return rates.torch_imports if imports_torch(job) else rates.imports


def process_memory(job: Job) -> float:
    """Bytes of memory of a job before any work."""
    return PROCESS_WITH_TORCH if imports_torch(job) else PROCESS
