"""Jobs that retrieve, render, index and split datasets, and sample their patches."""

import json
from collections.abc import Iterator
from typing import Any

from iqadistill.config.experiments import source_of
from iqadistill.config.jobs.files import Files
from iqadistill.config.jobs.job import Job, dump, text
from iqadistill.datasets.fingerprint import folder_fingerprint
from iqadistill.datasets.labels.registry import format_module
from iqadistill.errors import InputError
from iqadistill.images.listing import find_images
from iqadistill.sampling.registry import SAMPLERS


def dataset_jobs(plan: Files) -> Iterator[Job]:
    """Retrieve, render, index and split each dataset that images, patches or numbers are of."""
    pristine = {name for job in plan.image_jobs if (name := plan.pristine_of(job))}
    for dataset in sorted({name for name, _ in plan.sampled} | set(plan.shown_datasets) | pristine):
        settings, origin = plan.study.datasets[dataset], source_of(plan.study, dataset).origin
        files, ids = {"files": plan.files_ids[dataset]}, {"dataset": plan.dataset_ids[dataset]}
        names = {"dataset": dataset}
        params: dict[str, Any]
        if origin == "archive":
            params = {
                "name": dataset,
                "source": settings.source,
                "root": plan.root_of(dataset),
                "url": settings.url,
                "archives": [text(dump(archive)) for archive in source_of(plan.study, dataset).archives],
            }
            yield Job("retrieve_dataset", files, names, params=params)
        if origin == "rendered":
            panoramas = _pristine_images(plan, dataset)
            params = {
                "source": settings.source,
                "root": plan.root_of(dataset),
                "seed": plan.study.seed,
                "files": plan.file_states(panoramas),
            }
            yield Job("render_dataset", files, names, {"pristine": panoramas}, params)
        inputs = {
            "labels": _label_file(plan, dataset),
            "manifest": [plan.path("retrieve_dataset", **files)] if origin == "archive" else [],
        }
        params = {
            "patches": [],
            **plan.index_params(dataset),
            "name": dataset,
            "files": _changed_files(plan, dataset),
        }
        labels = source_of(plan.study, dataset).labels
        modules = (format_module(labels),) if labels else ()
        yield Job("index_dataset", ids, names, inputs, params, modules)
        images = {"images": plan.images_file(dataset)}
        if dataset in plan.split_datasets:
            splits = {**ids, "splits": plan.splits_ids[dataset]}
            yield Job("split_dataset", splits, names, images, plan.split_params(dataset))


def _label_file(plan: Files, dataset: str) -> list[str]:
    """A dataset's images.csv, where one is rendered or the user wrote one.

    A missing one is no missing input: the job itself says what to write. One that came in an archive is part of
    what retrieve_dataset answers for.
    """
    record, file = source_of(plan.study, dataset), f"{plan.images_folder(dataset)}/images.csv"
    if record.origin == "rendered":
        return [file]
    written = (plan.folder / file).is_file() and (record.origin == "folder" or record.labels)
    return [file] if written else []


def _pristine_images(plan: Files, dataset: str) -> list[str]:
    """The user's panoramas that a study distorts."""
    root = plan.folder / plan.root_of(dataset)
    given = plan.study.datasets[dataset].source == "panoramas" and root.is_dir()
    return [f"{plan.root_of(dataset)}/{p.name}" for p in find_images(root, below=False).files] if given else []


def _changed_files(plan: Files, dataset: str) -> str:
    """What tells that a listed image was replaced, deleted or added: a fingerprint of the user's folder.

    An archive's folder counts once it differs from what retrieve_dataset left, which its manifest holds.
    """
    origin = source_of(plan.study, dataset).origin
    if origin == "rendered":
        return ""
    fingerprint = folder_fingerprint(plan.folder / plan.root_of(dataset))
    if origin == "folder":
        return fingerprint
    manifest = plan.folder / plan.path("retrieve_dataset", files=plan.files_ids[dataset])
    if not manifest.is_file():
        return ""
    try:
        retrieved = json.loads(manifest.read_text(encoding="utf-8")).get("fingerprint", "")
    except ValueError as error:
        raise InputError(f"{manifest}: not valid JSON ({error}); delete it and run again.") from None
    return "" if fingerprint == retrieved else fingerprint


def sample_job(plan: Files, dataset: str, sampler: str) -> Job:
    """Sample the patches of a dataset."""
    settings = plan.study.samplers[sampler]
    return Job(
        "sample_patches",
        {"dataset": plan.dataset_ids[dataset], "sampler": plan.sampler_ids[sampler]},
        {"dataset": dataset, "sampler": sampler},
        {"images": plan.images_file(dataset), "files": list(settings.files())},
        {
            "sampler": text(dump(settings)),
            "files": plan.file_states(settings.files()),
            "seed": plan.study.seed,
        },
        (SAMPLERS.module(settings.method),),
    )
