"""Registry of datasets: registry.yaml, and the user's datasets.yaml in the folder where the workflow runs."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, PositiveInt, TypeAdapter, ValidationError, field_validator, model_validator

from iqadistill.datasets.labels.registry import format_module
from iqadistill.errors import InputError
from iqadistill.paths import UserUrl
from iqadistill.settings import Settings, first_error
from iqadistill.yaml_file import read_yaml

USER_ENTRIES = Path("datasets.yaml")

Name = Annotated[str, Field(pattern=r"^[A-Za-z][\w.-]*$")]
FileName = Annotated[str, Field(pattern=r"^[^/\\.][^/\\]*$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]

RENAMED = {"pictures": "pristine_images"}
"""Names of datasets and label formats that are refused in favour of another name."""


class ScoreRecord(Settings):
    """How to read a dataset's score; what is unset is taken from images.csv itself."""

    column: str | None = Field(
        None, description="Name of the score's column; default: score, mos or dmos, whichever images.csv has."
    )
    higher_better: bool | None = Field(
        None, description="Whether higher scores are better; default: false for dmos, true for all others."
    )
    range: tuple[float, float] | None = Field(
        None, description="Lowest and highest possible score; default: the observed ones."
    )


class ArchiveRecord(Settings):
    """One official file: an archive, one part of several, or a plain file such as a table of scores."""

    name: FileName = Field(description="File name.")
    urls: tuple[UserUrl, ...] = Field(
        (), description="Addresses to download it from: the official one first, then mirrors."
    )
    bytes: PositiveInt | None = Field(None, description="Size; default: recorded on the first download.")
    sha256: Sha256 | None = Field(None, description="SHA-256; default: recorded on the first download.")
    folder: FileName | None = Field(
        None, description="Folder that its files belong in, for an archive that does not hold a folder of that name."
    )
    unpacked: PositiveInt | None = Field(
        None, description="Largest number of bytes it may unpack to; default: a multiple of its size."
    )
    names: str | None = Field(
        None, description="Encoding of names that a zip or tar does not state, e.g. gbk; default: UTF-8, or else cp437."
    )

    @field_validator("names")
    @classmethod
    def _encoding_exists(cls, names: str | None) -> str | None:
        try:
            if names is None or b"a".decode(names) == "a":
                return names
        except (LookupError, ValueError):
            pass
        raise ValueError(f"{names!r} is not an encoding of names; give utf-8, gbk, cp932 or another of Python's")


class DatasetRecord(Settings):
    """What is known about a dataset."""

    title: str = Field(description="Full name.")
    kind: Literal["flat", "sphere"] = Field(
        description="Whether images are flat photographs or equirectangular panoramas."
    )
    origin: Literal["rendered", "folder", "archive"] = Field(
        description="Where the images come from: rendered by the workflow, a folder of the user's, or an archive."
    )
    access: Literal["open", "form", "manual"] | None = Field(
        None,
        description="How to get an archive: downloaded here (open), requested from its authors (form), or"
        " downloaded with a browser (manual).",
    )
    page: str | None = Field(None, description="Web page of the dataset.")
    archives: tuple[ArchiveRecord, ...] = Field((), description="Official files.")
    holds: tuple[str, ...] = Field(
        (), description="Patterns of files and folders in the unpacked folder, at the top or one folder below."
    )
    licence: str | None = Field(None, description="Licence, where the authors state one.")
    terms: str | None = Field(None, description="What else to know about getting the files.")
    simulated: bool = Field(False, description="Whether scores are simulated.")
    local_damage_of: str | None = Field(
        None, description="Dataset whose contents it shows, with each distorted image damaged in one region only."
    )
    labels: str | None = Field(
        None, description="Format of the official label files (a file of labels/formats/); default: images.csv is read."
    )
    reference: Literal["named", "itself"] = Field(
        "named", description="Whether labels name the pristine image of each image, or every image is its own content."
    )
    distortion_types: bool = Field(
        True, description="Whether labels may name the type of distortion of each image; official ones do or do not."
    )
    splits: tuple[Literal["random", "official"], ...] = Field(
        ("random",), description="Kinds of splits: random ones, disjoint by content, and the authors' official one."
    )
    references: PositiveInt | None = Field(None, description="Number of pristine references; default: any.")
    distorted: PositiveInt | None = Field(None, description="Number of other images; default: any.")
    typical_size: tuple[PositiveInt, PositiveInt] | None = Field(
        None,
        description="Width and height in pixels of a typical image, roughly; only the price of a study uses them.",
    )
    score: ScoreRecord | None = Field(None, description="How to read the score; default: no image has a score.")
    citation: str | None = Field(None, description="Publication to cite.")

    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, entry: Any) -> Any:
        """A user's archive is open, and holds images.csv unless its labels have another format."""
        if not isinstance(entry, Mapping) or entry.get("origin") != "archive":
            return entry
        return {"access": "open", "holds": [] if entry.get("labels") else ["images.csv"], **entry}

    @field_validator("labels")
    @classmethod
    def _format_exists(cls, labels: str | None) -> str | None:
        if labels in RENAMED:
            raise ValueError(f"the format {labels!r} is called {RENAMED[labels]!r}")
        if labels is not None:
            format_module(labels)
        return labels

    @model_validator(mode="after")
    def _archives_fit_the_origin(self) -> "DatasetRecord":
        if self.origin != "archive" and (self.archives or self.access):
            raise ValueError("archives and access are for origin archive")
        if self.origin == "archive" and not self.holds:
            raise ValueError("holds is missing; name a file or folder of each of its archives")
        if self.access == "open" and not (self.archives and all(archive.urls for archive in self.archives)):
            raise ValueError("an open dataset has archives with urls; else set access to form or manual")
        return self


def dataset_records() -> dict[str, DatasetRecord]:
    """All datasets by name: those of registry.yaml, then the user's.

    Raises:
        InputError: datasets.yaml is not a YAML mapping, or one of its entries is wrong or has the name of a shipped
            dataset.
    """
    # not named by a constant: what a stage needs of an entry is among its params, so edits of other entries rerun
    # nothing
    shipped = Path(__file__).with_suffix(".yaml")
    known = _read_records(shipped, 0)
    if (USER_ENTRIES.exists() or USER_ENTRIES.is_symlink()) and not USER_ENTRIES.is_file():
        raise InputError(f"{USER_ENTRIES}: is a folder, or a link that leads nowhere; expected a YAML file.")
    users = _read_records(USER_ENTRIES.resolve(), USER_ENTRIES.stat().st_mtime_ns) if USER_ENTRIES.is_file() else {}
    for name in users:
        if name in known:
            raise InputError(f"{USER_ENTRIES}: {name}: iqadistill has a dataset of this name; choose another.")
    return known | users


def list_datasets() -> list[str]:
    """Names of all datasets, sorted."""
    return sorted(dataset_records())


def dataset_record(name: str) -> DatasetRecord:
    """What is known about a dataset.

    Raises:
        InputError: No dataset has this name, or the user's entries are wrong (see `dataset_records`).
    """
    known = dataset_records()
    if name not in known:
        hint = f"it is called {RENAMED[name]!r}" if name in RENAMED else f"expected one of {', '.join(sorted(known))}"
        raise InputError(f"dataset {name!r} is unknown; {hint}.")
    return known[name]


@cache
def _read_records(file: Path, version: int) -> dict[str, DatasetRecord]:
    """Entries of a file; `version` distinguishes its states."""
    entries = read_yaml(file) or {}
    if not isinstance(entries, dict) or not all(isinstance(entry, dict) for entry in entries.values()):
        raise InputError(f"{file}: expected a mapping of dataset names to entries, as in registry.yaml.")
    return {str(name): _record(file, str(name), entry) for name, entry in entries.items()}


def _record(file: Path, name: str, entry: dict[str, Any]) -> DatasetRecord:
    try:
        TypeAdapter(Name).validate_python(name)
        return DatasetRecord.model_validate(entry)
    except ValidationError as error:
        first = error.errors()[0]
        if first["type"] == "missing":
            key = ".".join([name, *map(str, first["loc"])])
            raise InputError(f"{file}: {key}: missing; give it (see iqadistill/datasets/registry.yaml).") from None
        raise InputError(first_error(error, DatasetRecord, f"{file}: {name}")) from None
