"""The work of each job of a study."""

from collections.abc import Callable, Mapping

from iqadistill.config.jobs.job import Job
from iqadistill.config.jobs.plan import Plan
from iqadistill.pricing import dataset_work, deep_network_work, embedding_work, evaluation_work, mlp_work
from iqadistill.pricing.counted_study import CountedStudy
from iqadistill.pricing.processes import process_memory
from iqadistill.pricing.work import Work

_WORK_OF: Mapping[str, Callable[[CountedStudy, Job], Work]] = {
    "retrieve_dataset": dataset_work.retrieve_dataset,
    "render_dataset": dataset_work.render_dataset,
    "index_dataset": dataset_work.index_dataset,
    "sample_patches": dataset_work.sample_patches,
    "embed_patches": embedding_work.embed_patches,
    "embed_shard": embedding_work.embed_patches,
    "gather_shards": embedding_work.gather_shards,
    "select_patches": embedding_work.select_patches,
    "pretrain_teacher": deep_network_work.pretrain_teacher,
    "train_student": deep_network_work.train_student,
    "predict": deep_network_work.predict,
    "predict_cross": deep_network_work.predict,
    "train_mlps": mlp_work.train_mlps,
    "predict_mlps": mlp_work.predict_mlps,
    "predict_patches": mlp_work.predict_patches,
    "train_random_draws": mlp_work.train_random_draws,
    "train_on_chosen": mlp_work.train_on_chosen,
    "predict_images": evaluation_work.predict_images,
    "evaluate": evaluation_work.evaluate,
    "score_budgets": evaluation_work.score_budgets,
    "time_budgets": evaluation_work.time_budgets,
}
"""Functions that count the work of a rule's jobs; what other rules do is little."""


class StudyWork:
    """The work of a study's jobs.

    Args:
        plan: The study's jobs.

    Attributes:
        counts: What the work is counted from.
    """

    def __init__(self, plan: Plan):
        self.counts = CountedStudy(plan)

    def of(self, job: Job) -> Work:
        """The work of a job; nothing where its dataset could not be counted."""
        if job.rule in _WORK_OF:
            return _WORK_OF[job.rule](self.counts, job)
        return Work(memory=process_memory(job))
