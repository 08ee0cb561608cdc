"""How many images a dataset of a study holds, and of what size, before any of them is there."""

from dataclasses import dataclass
from pathlib import Path

from iqadistill.config.experiments import kind_of, source_of
from iqadistill.config.jobs import Plan
from iqadistill.datasets.galleries.distortions import DISTORTIONS, LEVELS
from iqadistill.datasets.galleries.rendering import WIDTHS
from iqadistill.datasets.registry import DatasetRecord
from iqadistill.images.decoding import IMAGE_SUFFIXES, image_size

ASSUMED = {"flat": (1024, 768), "sphere": (4096, 2048)}  # where no size is known
# Bytes of a pixel where the size of an archive is not known: distorted images come without loss (KADID-10k: 1.5),
# photographs as JPEG (KonIQ-10k: 0.2).
LOSSLESS, JPEG = 1.5, 0.25
JPEG_SPEED = 2.0  # of decoding a JPEG, compared with a PNG
_LOOKED_AT = 5  # images of the user's whose size is read


@dataclass(frozen=True)
class ImageCount:
    """The images of a dataset.

    Attributes:
        total: Number of all images, pristine references included.
        scored: Number of those with a score.
        pixels: Pixels of a typical image.
        effort: Effort of decoding a typical image, in pixels of a PNG file.
        stored: Bytes of all image files.
        download: Bytes to download or to fetch by hand; 0 for images that are rendered or the user's own.
        missing: Why the dataset could not be counted; empty if it was.
    """

    total: int = 0
    scored: int = 0
    pixels: float = 0.0
    effort: float = 0.0
    stored: float = 0.0
    download: float = 0.0
    missing: str = ""


def count_images(plan: Plan, dataset: str) -> ImageCount:
    """Count a dataset by the registry, or by the user's folder where only that knows.

    A folder that is absent is no error: `missing` says what is left out.
    """
    record, kind = source_of(plan.study, dataset), kind_of(plan.study, dataset)
    given = record.distorted or record.references
    if record.origin == "rendered":
        return _rendered(plan, dataset, record)
    if record.origin == "folder" or not given:
        return _users_own(plan, dataset, record)
    references, distorted = record.references or 0, record.distorted or 0
    width, height = record.typical_size or ASSUMED[kind]
    total = references + distorted
    stored = total * width * height * (JPEG if record.reference == "itself" else LOSSLESS)
    known = [archive.bytes for archive in record.archives]
    download = float(sum(filter(None, known))) if known and all(known) else stored
    pixels = float(width * height)
    effort = pixels / (JPEG_SPEED if record.reference == "itself" else 1)
    return ImageCount(total, distorted if record.score else 0, pixels, effort, max(stored, download), download)


def _rendered(plan: Plan, dataset: str, record: DatasetRecord) -> ImageCount:
    source = plan.study.datasets[dataset].source
    width = WIDTHS[source]
    pixels = width * (width / 2 if record.kind == "sphere" else width * 3 / 4)
    references, distorted = record.references or 0, record.distorted
    if distorted is None:
        references = len(_image_files(plan.folder / plan.root_of(dataset)))
        if not references:
            return _missing(plan, dataset)
        distorted = references * len(DISTORTIONS) * len(LEVELS)
    total = references + distorted
    return ImageCount(total, distorted if record.score else 0, pixels, pixels, total * pixels * LOSSLESS)


def _users_own(plan: Plan, dataset: str, record: DatasetRecord) -> ImageCount:
    files = _image_files(plan.folder / plan.root_of(dataset))
    if not files:
        return _missing(plan, dataset)
    sizes = [image_size(file) for file in files[:: max(1, len(files) // _LOOKED_AT)]]
    pixels = sum(width * height for width, height in sizes) / len(sizes)
    stored = float(sum(file.stat().st_size for file in files))
    jpegs = sum(file.suffix.lower() in (".jpg", ".jpeg") for file in files) / len(files)
    effort = pixels * (1 - jpegs + jpegs / JPEG_SPEED)
    return ImageCount(len(files), len(files) if record.score else 0, pixels, effort, stored)


def _missing(plan: Plan, dataset: str) -> ImageCount:
    root = plan.root_of(dataset)
    return ImageCount(
        missing=f"datasets.{dataset}: {root} is absent or holds no image, so that its work is left out; put the images"
        " there, or set root, and ask again."
    )


def _image_files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.rglob("*") if file.suffix.lower() in IMAGE_SUFFIXES)
