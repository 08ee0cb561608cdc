"""The folders and files that a study names: no file where a folder is needed, and the reverse."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from iqadistill.config.experiments import source_of
from iqadistill.config.study import Study
from iqadistill.encoders.settings import EncoderSettings
from iqadistill.errors import InputError
from iqadistill.models.settings import DeepStudentSettings, TeacherSettings
from iqadistill.models.students.external import ExternalSettings
from iqadistill.sampling.settings import SamplerSettings

Entry = SamplerSettings | EncoderSettings | TeacherSettings | DeepStudentSettings


def check_working_folder(folder: Path = Path()) -> None:
    """Check that a run can write into its folder, where it keeps its state beside the results.

    Raises:
        InputError: It cannot.
    """
    if not (folder / ".snakemake").exists() and not os.access(folder, os.W_OK):
        raise InputError(
            f"{folder.resolve()}: this user cannot write into the folder of the run; run in another one, with "
            "--directory FOLDER."
        )


def check_files(study: Study, folder: Path = Path()) -> None:
    """Check that what a study names as a folder, or as a file, is not of another kind where it exists.

    Missing ones are left to the jobs that read them: predictions of another tool are made from the study's own splits,
    and archives are unpacked into a new folder.

    Args:
        study: The study.
        folder: Where the workflow runs.

    Raises:
        InputError: A path leads to something of another kind, or a dataset's folder holds the results.
    """
    here, results = folder.resolve(), Path(os.path.realpath(folder / "results"))
    of_the_run = {here, *here.parents, results, *results.parents}
    for name, settings in study.datasets.items():
        if source_of(study, name).origin != "rendered" or settings.source == "panoramas":
            key, root = f"datasets.{name}.root", settings.root or f"data/{name}"
            _check_above(key, folder / root / "file")
            if (folder / root).resolve() in of_the_run:
                raise InputError(
                    f"{key}: {root} holds the results of this run, which would count as files of the dataset; "
                    "move the images to a folder of their own, such as data/own."
                )
    for key, file in _given_files(study):
        _check_above(key, folder / file)
        if (folder / file).is_dir():
            raise InputError(f"{key}: {file} is a folder, expected a file; correct the path.")


def _check_above(key: str, path: Path) -> None:
    """Refuse a path below a file, or below a link that leads nowhere or to itself."""
    for parent in (path, *path.parents):
        if parent.is_symlink() and not parent.exists():
            raise InputError(
                f"{key}: {parent} is a link that leads nowhere; restore what it names, or correct the path."
            )
        if parent.exists():
            if parent != path and not parent.is_dir():
                raise InputError(f"{key}: {parent} is a file, expected a folder; correct the path.")
            return


def _given_files(study: Study) -> Iterator[tuple[str, str]]:
    """Key and path of every file that an entry names."""
    sections: dict[str, Mapping[str, Entry]] = {
        "samplers": study.samplers,
        "encoders": study.encoders,
        "teachers": study.teachers,
        "students": study.deep_students,
    }
    for section, entries in sections.items():
        for name, settings in entries.items():
            files = settings.files()
            yield from ((f"{section}.{name}.{key}", value) for key, value in settings if value in files)
    for name, student in study.students.items():
        if isinstance(student, ExternalSettings):
            yield from ((f"students.{name}.files.{dataset}", file) for dataset, file in student.files.items())
