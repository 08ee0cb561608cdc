"""What is left to do of a study."""

from pathlib import Path

from iqadistill.config.experiments import source_of
from iqadistill.config.jobs.job import Job
from iqadistill.config.jobs.plan import Plan
from iqadistill.datasets.retrieval.retrieval import dataset_status
from iqadistill.doctor.folders import is_there
from iqadistill.pricing.study_work import StudyWork
from iqadistill.pricing.work import Work


class Needs:
    """What is left to do of a study.

    Args:
        plan: The study's jobs.

    Attributes:
        work: The jobs whose results are not there, with their work.
        states: State of the files of each dataset among them that comes as an archive, see `dataset_status`.
        indexed: Datasets that are yet to be indexed.
        uncounted: Those of them whose images could not be counted.
    """

    def __init__(self, plan: Plan):
        counted = StudyWork(plan)
        self.plan = plan
        self.work = [(job, counted.of(job)) for job in plan.jobs.values() if not is_there(job.lasting)]
        self.indexed = [job.names["dataset"] for job, _ in self.work if job.rule == "index_dataset"]
        self.uncounted = [name for name in self.indexed if counted.counts.images(name).missing]
        self.states = {
            name: dataset_status(source_of(plan.study, name), self.root_of(name))
            for job, _ in self.work
            if job.rule == "retrieve_dataset" and (name := job.names["dataset"])
        }

    def root_of(self, dataset: str) -> Path:
        """Folder of a dataset's files."""
        return Path(self.plan.root_of(dataset))

    def room(self, job: Job, work: Work) -> tuple[Path, float]:
        """Folder that a job writes to, and the bytes that come into it."""
        if job.rule != "retrieve_dataset":
            return Path("results"), work.disk
        name = job.names["dataset"]
        left = 0.0 if self.states[name] == "ready" else work.disk - self.there(name)
        return self.root_of(name), max(0.0, left)

    def there(self, dataset: str) -> int:
        """Bytes of files in a dataset's folder: archives, whole or in part."""
        return sum(file.stat().st_size for file in self.root_of(dataset).glob("*") if file.is_file())
