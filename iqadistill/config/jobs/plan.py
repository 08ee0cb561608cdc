"""The plan of a study: every job by its first output."""

import functools
from collections.abc import Collection, Iterator, Mapping

from iqadistill.config.jobs.dataset_jobs import dataset_jobs, sample_job
from iqadistill.config.jobs.embedding_jobs import embedding_jobs
from iqadistill.config.jobs.files import Files
from iqadistill.config.jobs.job import Job
from iqadistill.config.jobs.layout import EMBEDDINGS, HEADLINE, PATHS
from iqadistill.config.jobs.study_jobs import study_jobs
from iqadistill.config.jobs.training_jobs import cross_job, image_job, jobs_of_mlp, jobs_of_student, teacher_job
from iqadistill.errors import InputError
from iqadistill.figures.experiment import EmbeddingTable


class Plan(Files):
    """All jobs of a study, see `Files` for its arguments."""

    @functools.cached_property
    def jobs(self) -> dict[str, Job]:
        """Every job by its first output."""
        work = [
            *dataset_jobs(self),
            *(sample_job(self, dataset, sampler) for dataset, sampler in sorted(self.sampled)),
            *embedding_jobs(self),
            *(teacher_job(self, one) for one in self.teacher_jobs),
            *(job for mlp, variants in self.mlp_jobs.items() for job in jobs_of_mlp(self, mlp, variants)),
            *(job for student in (*self.student_jobs, *self.draw_jobs) for job in jobs_of_student(self, student)),
            *(cross_job(self, one) for one in self.cross_tests),
            *(image_job(self, one) for one in self.image_jobs),
        ]
        return {job.output: job for job in [*work, *study_jobs(self, work)]}

    def job(self, rule: str, wildcards: Mapping[str, str]) -> Job:
        """The job of a rule with these wildcards, of the whole study or of its main tables.

        Raises:
            KeyError: The study has no such job.
        """
        output = PATHS[rule].format(**wildcards)
        return self.headline.jobs[output] if output not in self.jobs and self.has_headline else self.jobs[output]

    @functools.cached_property
    def headline(self) -> "Plan":
        """The jobs of the main tables alone: experiments with `headline: true`, and what they need.

        Datasets, patches, embeddings, selections, teachers and deep students are the study's own, at the same paths;
        MLPs, of which a job trains fewer variants here, and what is drawn lie in the folder "headline".

        Raises:
            InputError: The study marks no experiment.
        """
        experiments = tuple(experiment for experiment in self.study.experiments if experiment.headline)
        if not experiments:
            raise InputError(
                f"{self.study.name}: no experiment is a main table; give one or several of them `headline: true`."
            )
        return Plan(self.study.model_copy(update={"experiments": experiments}), self.folder, HEADLINE)

    @property
    def has_headline(self) -> bool:
        """Whether some experiment is a main table of a whole study."""
        return self.results_name == self.study.name and any(e.headline for e in self.study.experiments)

    def outputs(self, *rules: str) -> list[str]:
        """First outputs of all jobs of some rules."""
        return [output for output, job in self.jobs.items() if job.rule in rules]

    def made_in_other_shards(self, remade: Collection[str]) -> str:
        """A sentence on a table that is to be embedded again in other shards than its dataset now has, or "".

        It is planned as it was made; its jobs, however, plan anew once it was removed, and would look for other files.

        Args:
            remade: Files that are made in this run.
        """
        for output, dataset, made, asked in self.tables_of_other_shards():
            if output in remade:
                return (
                    f"{output}: has to be embedded again and was made with shards: {made}, but"
                    f" datasets.{dataset} has shards: {asked}; delete this file, or set shards to {made}, and run"
                    " again."
                )
        return ""

    def tables_of_other_shards(self) -> Iterator[tuple[str, str, int, int]]:
        """Embeddings tables that exist, their datasets, the shards they were made with and those that are set now."""
        for output in self.outputs(*EMBEDDINGS):
            table = EmbeddingTable(**self.jobs[output].names)
            made, asked = self.made_shards(table), self.study.datasets[table.dataset].shards
            if made not in (0, asked):
                yield output, table.dataset, made, asked

    def replaced_meanwhile(self) -> str:
        """A sentence on the user's folders of images, and files, that changed since the jobs were planned, or ""."""
        now = Plan(self.study, self.folder).jobs
        changed = [job for output, job in self.jobs.items() if output not in now or job.params != now[output].params]
        folders = {job.params["root"] for job in changed if job.rule == "index_dataset"}
        read = {file for job in changed if job.rule != "index_dataset" for file in job.input_files}
        if not (names := sorted(folders | {file for file in read if not file.startswith("results/")})):
            return ""
        return (
            f"{', '.join(names)}: changed while the study ran, so that results may mix both states; run again, and what"
            " was made from it is made anew."
        )
