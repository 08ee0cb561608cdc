"""Every dataset known by name: registry.yaml, and datasets.yaml in the folder where the workflow runs."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, PositiveInt, TypeAdapter, ValidationError, model_validator

from iqadistill.errors import InputError, nearest

OWN_ENTRIES = Path("datasets.yaml")  # the user's

Name = Annotated[str, Field(pattern=r"^[A-Za-z][\w.-]*$")]
FileName = Annotated[str, Field(pattern=r"^[^/\\.][^/\\]*$")]
Url = Annotated[str, Field(pattern=r"^(https?|file)://")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Record(BaseModel):
    """Base of every record: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ScoreRecord(Record):
    """How a dataset's score reads; an unset entry is taken from images.csv itself."""

    column: str | None = None
    higher_better: bool | None = None
    range: tuple[float, float] | None = None


class ArchiveRecord(Record):
    """One official file: an archive, one part of several, or a plain file such as a table of scores.

    `urls` lists the official address first, then mirrors. An unset `bytes` or `sha256` is recorded on the first download.
    `folder` is where its files belong, should they not lie in a folder of that name already. `unpacked` is the most bytes
    that may come out of it; unset, a multiple of its own size.
    """

    name: FileName
    urls: tuple[Url, ...] = ()
    bytes: PositiveInt | None = None
    sha256: Sha256 | None = None
    folder: FileName | None = None
    unpacked: PositiveInt | None = None


class DatasetRecord(Record):
    """What is known about a dataset.

    `origin` says where its pictures come from: rendered here, a folder of the user's own, or an archive. `access` says how an
    archive is got: open (downloaded), form (its authors want to be asked) or manual (a page for a browser); `page` is where and
    `terms` what to know there. `holds` lists patterns of what its unpacked folder has, at the top or one folder below. `labels`
    names the parser of the official label file, None where images.csv is read. `reference` says whether labels name a
    pristine picture of each image, or each image is its own content. `splits` lists random (content-disjoint, drawn here) and
    official (the authors' own). `score` is None where no image has one; counts are None where they are the user's.
    """

    title: str
    kind: Literal["flat", "sphere"]
    origin: Literal["rendered", "folder", "archive"]
    access: Literal["open", "form", "manual"] | None = None
    page: str | None = None
    archives: tuple[ArchiveRecord, ...] = ()
    holds: tuple[str, ...] = ()
    licence: str | None = None
    terms: str | None = None
    simulated: bool = False
    labels: str | None = None
    reference: Literal["named", "itself"] = "named"
    splits: tuple[Literal["random", "official"], ...] = ("random",)
    references: PositiveInt | None = None
    distorted: PositiveInt | None = None
    score: ScoreRecord | None = None
    citation: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, entry: Any) -> Any:
        """An own archive is open, and holds images.csv unless a parser reads its labels."""
        if not isinstance(entry, Mapping) or entry.get("origin") != "archive":
            return entry
        return {"access": "open", "holds": [] if entry.get("labels") else ["images.csv"], **entry}

    @model_validator(mode="after")
    def _archives_have_their_origin(self) -> "DatasetRecord":
        if self.origin != "archive" and (self.archives or self.access):
            raise ValueError("archives and access are for origin archive")
        if self.origin == "archive" and not self.holds:
            raise ValueError("holds is missing; name a file or folder of each of its archives")
        if self.access == "open" and not (self.archives and all(archive.urls for archive in self.archives)):
            raise ValueError("an open dataset has archives with urls; else say access: form or manual")
        return self


def dataset_records() -> dict[str, DatasetRecord]:
    """Every dataset by name: those of registry.yaml, then the user's own.

    Raises:
        InputError: datasets.yaml is no YAML mapping, one of its entries is wrong or takes a name that exists.
    """
    # not named by a constant: what a stage needs of an entry is among its params, so an edit elsewhere reruns nothing
    shipped = Path(__file__).with_suffix(".yaml")
    known = _read_records(shipped, 0)
    own = _read_records(OWN_ENTRIES.resolve(), OWN_ENTRIES.stat().st_mtime_ns) if OWN_ENTRIES.is_file() else {}
    for name in own:
        if name in known:
            raise InputError(f"{OWN_ENTRIES}: {name}: a dataset of this name comes along; choose another.")
    return known | own


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
        raise InputError(f"dataset {name!r} is unknown; expected one of {', '.join(sorted(known))}.")
    return known[name]


@cache
def _read_records(file: Path, version: int) -> dict[str, DatasetRecord]:
    """Entries of a file; `version` tells its states apart."""
    try:
        entries = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{file}: is no readable YAML ({' '.join(str(error).split())}); correct it.") from None
    if not isinstance(entries, dict) or not all(isinstance(entry, dict) for entry in entries.values()):
        raise InputError(f"{file}: expected a mapping of dataset names to entries, as in registry.yaml.")
    return {str(name): _record(file, str(name), entry) for name, entry in entries.items()}


def _record(file: Path, name: str, entry: dict[str, Any]) -> DatasetRecord:
    try:
        TypeAdapter(Name).validate_python(name)
        return DatasetRecord.model_validate(entry)
    except ValidationError as error:
        first = error.errors()[0]
    where = ".".join([name, *map(str, first["loc"])])
    if first["type"] == "extra_forbidden":
        raise InputError(f"{file}: {where}: unknown key; {nearest(str(first['loc'][-1]), _keys(first['loc']))}")
    if first["type"] == "missing":
        raise InputError(f"{file}: {where}: missing; every dataset gives it (see iqadistill/datasets/registry.yaml).")
    raise InputError(f"{file}: {where}: {first['msg'][0].lower()}{first['msg'][1:]}, found {first['input']!r}.")


def _keys(location: tuple[int | str, ...]) -> list[str]:
    """The keys an entry, its score or an archive of it may have."""
    models = {"score": ScoreRecord, "archives": ArchiveRecord}
    return list(models.get(str(location[0]) if len(location) > 1 else "", DatasetRecord).model_fields)
