"""What the process of a job is: whether it holds a card, what it imports, and the memory that this takes."""

from iqadistill.config.jobs.job import Job

ON_CARD = (
    "embed_patches",
    "pretrain_teacher",
    "train_mlps",
    "predict_mlps",
    "predict_patches",
    "train_random_draws",
    "train_on_chosen",
    "train_student",
    "predict",
    "predict_cross",
    "time_budgets",
)
"""Rules that hold a card where there is one."""

WITH_TORCH = (*ON_CARD, "plot_selection", "score_budgets")
THUMBNAIL = "iqadistill.selection.selectors.thumbnail"  # reads images, the only selector that needs PyTorch
PROCESS, PROCESS_WITH_TORCH = 0.2e9, 0.7e9  # bytes of memory before any work


def imports_torch(job: Job) -> bool:
    """Whether a job imports PyTorch."""
    return job.rule in WITH_TORCH or THUMBNAIL in job.modules


def process_memory(job: Job) -> float:
    """Bytes of memory of a job before any work."""
    return PROCESS_WITH_TORCH if imports_torch(job) else PROCESS
