"""Where the files of a study lie: names with a short digest of all that decides the content."""

import functools
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from iqadistill.config.experiments import kind_of, source_of
from iqadistill.config.jobs.job import dump, short_digest, text
from iqadistill.config.jobs.layout import PATHS
from iqadistill.config.jobs.trainings import StudentJob, TeacherJob, Trainings
from iqadistill.config.study import Study
from iqadistill.errors import InputError
from iqadistill.evaluation.scoring_time import read_scoring_time
from iqadistill.figures.experiment import EmbeddingTable
from iqadistill.tables import ALL, RANDOM

# What the registry says about a dataset that does not decide what its index holds.
_NOT_INDEXED = {
    "title",
    "access",
    "page",
    "archives",
    "holds",
    "licence",
    "terms",
    "citation",
    "typical_size",
    "distortion_types",
    "local_damage_of",
}


class Files(Trainings):
    """Identities and paths of what a study's jobs read and write.

    Args:
        study: The study.
        folder: Where the workflow runs; only looked at for datasets of the user's, for what was retrieved, and for the
            number of jobs that embedded a table.
        part: Folder within the study's results, "headline" for its main tables alone; empty for the whole study.
    """

    def __init__(self, study: Study, folder: Path = Path(), part: str = ""):
        super().__init__(study)
        self.folder = folder
        self.results_name = f"{study.name}/{part}" if part else study.name
        self.teacher_id = functools.cache(self._teacher_id)

    # Identities: a name and a short digest of all that decides the content

    def root_of(self, dataset: str) -> str:
        """The folder the user gave a dataset, or data/NAME."""
        return self.study.datasets[dataset].root or f"data/{dataset}"

    @functools.cached_property
    def files_ids(self) -> dict[str, str]:
        """Identity of each dataset's files, as they are retrieved or rendered."""
        ids = {}
        for dataset, settings in self.study.datasets.items():
            seed = self.study.seed if source_of(self.study, dataset).origin == "rendered" else None
            ids[dataset] = f"{dataset}-{short_digest(settings.source, self.root_of(dataset), seed)}"
        return ids

    @functools.cached_property
    def dataset_ids(self) -> dict[str, str]:
        """Identity of each dataset's index."""
        return {
            dataset: f"{dataset}-{short_digest(files, self.index_params(dataset))}"
            for dataset, files in self.files_ids.items()
        }

    @functools.cached_property
    def splits_ids(self) -> dict[str, str]:
        """Identity of each dataset's splits."""
        return {dataset: f"splits-{short_digest(self.split_params(dataset))}" for dataset in self.study.datasets}

    @functools.cached_property
    def sampler_ids(self) -> dict[str, str]:
        """Identity of each sampler's patches of a dataset."""
        return {
            name: f"{name}-{short_digest(dump(settings), self.study.seed)}"
            for name, settings in self.study.samplers.items()
        }

    @functools.cached_property
    def encoder_ids(self) -> dict[str, str]:
        """Identity of each encoder's embeddings of patches."""
        return {name: f"{name}-{short_digest(dump(settings))}" for name, settings in self.study.encoders.items()}

    @functools.cached_property
    def selector_ids(self) -> dict[str, str]:
        """Identity of each selector's rankings of embeddings."""
        return {
            name: f"{name}-{short_digest(dump(settings), self.study.seed)}"
            for name, settings in self.study.selectors.items()
        }

    def _teacher_id(self, dataset: str, sampler: str, teacher: str) -> str:
        """Identity of a teacher that is trained on patches of a dataset."""
        references = self.references_of(dataset, sampler, teacher)
        ids = [self.dataset_ids[references[0]], self.sampler_ids[references[1]]] if references else []
        facts = (dump(self.study.teachers[teacher]), self.study.seed, self.splits_ids[dataset], ids)
        return f"{teacher}-{short_digest(*facts)}"

    def table_ids(self, table: EmbeddingTable) -> dict[str, str]:
        return {
            "dataset": self.dataset_ids[table.dataset],
            "sampler": self.sampler_ids[table.sampler],
            "encoder": self.encoder_ids[table.encoder],
        }

    def teacher_ids(self, job: TeacherJob) -> dict[str, str]:
        return {
            "dataset": self.dataset_ids[job.dataset],
            "sampler": self.sampler_ids[job.sampler],
            "teacher": self.teacher_id(job.dataset, job.sampler, job.teacher),
            "split": job.split,
        }

    def drawn_selection(self, table: EmbeddingTable, draw: int) -> dict[str, str]:
        """Wildcards of a random ranking of an embedding table."""
        seed = seed_of_draw(self.study.seed, draw)
        return {
            **self.table_ids(table),
            "selector": f"{RANDOM}-{short_digest(dump(self.study.selectors[RANDOM]), seed)}",
        }

    def student_wildcards(self, job: StudentJob) -> dict[str, Any]:
        names = {"study": self.study.name, **{name: str(value) for name, value in job.names.items()}}
        return names if job.draw is None else {**names, "selector": f"{RANDOM}~{job.draw}"}

    def images_folder(self, dataset: str) -> str:
        if source_of(self.study, dataset).origin == "rendered":
            return f"results/render_dataset/{self.files_ids[dataset]}"
        return self.root_of(dataset)

    def index_params(self, dataset: str) -> dict[str, Any]:
        settings = self.study.datasets[dataset]
        record = source_of(self.study, dataset).model_dump(mode="json", exclude=_NOT_INDEXED)
        rules = {"patches": self._patch_rules(dataset)} if settings.on_error == "quarantine" else {}
        return {
            **rules,
            "source": settings.source,
            "root": self.images_folder(dataset),
            "kind": kind_of(self.study, dataset),
            "score_range": list(settings.score_range or []),
            "on_error": settings.on_error,
            "record": text(record),
        }

    def _patch_rules(self, dataset: str) -> list[str]:
        """What images must be for each sampler that takes patches of a dataset, as JSON text.

        It decides which images are quarantined. Where they stop the run, sample_patches does, so that studies of other
        samplers share the index.
        """
        samplers = {sampler for name, sampler in self.sampled if name == dataset}
        return sorted({text(self.study.samplers[sampler].rule._asdict()) for sampler in samplers})

    def split_params(self, dataset: str) -> dict[str, Any]:
        evaluation = self.study.evaluation
        return {
            "splits": evaluation.splits,
            "kinds": list(self.study.datasets[dataset].splits),
            "protocol": evaluation.protocol,
            "test_fraction": evaluation.test_fraction,
            "val_fraction": evaluation.val_fraction,
            "seed": self.study.seed,
        }

    # Files

    def path(self, rule: str, **wildcards: Any) -> str:
        return PATHS[rule].format(study=self.study.name, **wildcards)

    def images_file(self, dataset: str) -> str:
        """The images table of a dataset."""
        return self.path("index_dataset", dataset=self.dataset_ids[dataset])

    def splits_file(self, dataset: str) -> str:
        """The splits table of a dataset."""
        return self.path("split_dataset", dataset=self.dataset_ids[dataset], splits=self.splits_ids[dataset])

    def patches_file(self, dataset: str, sampler: str) -> str:
        """The patch table of a dataset and sampler."""
        return self.path("sample_patches", dataset=self.dataset_ids[dataset], sampler=self.sampler_ids[sampler])

    def embeddings_file(self, table: EmbeddingTable) -> str:
        """The embeddings of a dataset, sampler and encoder."""
        return self.path("embed_patches", **self.table_ids(table))

    def shards_of(self, table: EmbeddingTable) -> int:
        """Number of jobs that embed a table.

        A table that exists keeps the number that it was made with: another one would make the same table again.
        """
        return self.made_shards(table) or self.study.datasets[table.dataset].shards

    def made_shards(self, table: EmbeddingTable) -> int:
        """Number of jobs that embedded a table; 0 if it does not exist or its JSON does not say."""
        file = self.folder / self.embeddings_file(table)
        try:
            return read_scoring_time(file.with_suffix(".json")).shards if file.is_file() else 0
        except (OSError, InputError):  # without its time it is made again; a damaged one is named where it is needed
            return 0

    def selection_files(self, table: EmbeddingTable, selectors: Iterable[str]) -> list[str]:
        """Rankings of an embedding table, in the order of the selectors; all patches need none."""
        ids = [self.selector_ids[name] for name in selectors if name != ALL]
        return [self.path("select_patches", **self.table_ids(table), selector=selector) for selector in ids]

    def teacher_file(self, job: TeacherJob) -> str:
        """The weights of a teacher."""
        return PATHS["pretrain_teacher"].format(**self.teacher_ids(job))

    def selection_of(self, job: StudentJob) -> list[str]:
        """The ranking that a deep student learns from; none for all patches."""
        if job.draw is None:
            return self.selection_files(job.table, [job.selector])
        return [PATHS["select_patches"].format(**self.drawn_selection(job.table, job.draw))]

    def file_states(self, files: Iterable[str]) -> list[str]:
        """Size and modification time of files: Snakemake does not see a replacement that is older than the results."""
        states = [file.stat() for name in files if (file := self.folder / name).is_file()]
        return [f"{state.st_size} bytes, {state.st_mtime_ns} ns" for state in states]


def seed_of_draw(seed: int, draw: int) -> str:
    """Seed of a random ranking, see `iqadistill.selection.random_draws.RandomRankings`."""
    return f"{seed}/{draw}"
