"""How many images a dataset of a study holds, and of what size, before any of them is there."""

import contextlib
from dataclasses import dataclass
from pathlib import Path

from iqadistill.config.experiments import kind_of, source_of
from iqadistill.config.jobs.plan import Plan
from iqadistill.datasets.galleries.distortions import DISTORTIONS, LEVELS
from iqadistill.datasets.galleries.rendering import WIDTHS
from iqadistill.datasets.registry import DatasetRecord
from iqadistill.errors import InputError
from iqadistill.images.decoding import GAP, image_size, scaled
from iqadistill.images.listing import find_images

ASSUMED = {"flat": (1024, 768), "sphere": (4096, 2048)}  # where no size is known
# Bytes of a pixel where the size of an archive is not known: distorted images come without loss (KADID-10k: 1.5),
# photographs as JPEG (KonIQ-10k: 0.2).
LOSSLESS, JPEG = 1.5, 0.25
JPEG_SPEED = 4.0  # of decoding a JPEG, compared with a PNG
DRAFT_SPEED = 2.0  # of decoding a JPEG at a half, a quarter or an eighth of its size, compared with the whole
RESIZE_SPEED = 2.0  # of reducing an image, by its pixels before, compared with decoding a PNG
_LOOKED_AT = 5  # images of the user's whose size is read


@dataclass(frozen=True)
class ImageCount:
    """The images of a dataset.

    Attributes:
        total: Number of all images, pristine references included.
        scored: Number of those with a score.
        width: Width of a typical image in pixels.
        height: Its height.
        jpegs: Share of JPEG files.
        stored: Bytes of all image files.
        download: Bytes to download or to fetch by hand; 0 for images that are rendered or the user's own.
        missing: Why the dataset could not be counted; empty if it was.
    """

    total: int = 0
    scored: int = 0
    width: int = 0
    height: int = 0
    jpegs: float = 0.0
    stored: float = 0.0
    download: float = 0.0
    missing: str = ""

    @property
    def pixels(self) -> int:
        """Pixels of a typical image."""
        return self.width * self.height

    @property
    def effort(self) -> float:
        """Effort of decoding a typical image, in pixels of a PNG file."""
        return self.effort_of(1.0)

    def effort_of(self, scale: float) -> float:
        """Effort of decoding a typical image reduced by a factor, see `iqadistill.images.decoding.read_image`."""
        if scale >= 1:
            return self.pixels * (1 - self.jpegs + self.jpegs / JPEG_SPEED)
        part = next(part for part in (1 / 8, 1 / 4, 1 / 2, 1) if part == 1 or part >= GAP * scale)
        jpeg = 1 / JPEG_SPEED if part == 1 else 1 / JPEG_SPEED / DRAFT_SPEED
        reduced = self.jpegs * (jpeg + part**2 / RESIZE_SPEED) + (1 - self.jpegs) * (1 + 1 / RESIZE_SPEED)
        return self.pixels * reduced

    def bytes_of(self, scale: float) -> int:
        """Bytes of a typical image in memory, reduced by a factor."""
        return 3 * scaled(self.width, scale) * scaled(self.height, scale)


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
    jpegs = float(record.reference == "itself")
    scored = distorted if record.score else 0
    return ImageCount(total, scored, width, height, jpegs, max(stored, download), download)


def _rendered(plan: Plan, dataset: str, record: DatasetRecord) -> ImageCount:
    source = plan.study.datasets[dataset].source
    width = WIDTHS[source]
    height = width // 2 if record.kind == "sphere" else width * 3 // 4
    references, distorted = record.references or 0, record.distorted
    if distorted is None:
        references = len(_image_files(plan.folder / plan.root_of(dataset)))
        if not references:
            return _missing(plan, dataset)
        distorted = references * len(DISTORTIONS) * len(LEVELS)
    total = references + distorted
    scored, stored = distorted if record.score else 0, total * width * height * LOSSLESS
    return ImageCount(total, scored, width, height, stored=stored)


def _users_own(plan: Plan, dataset: str, record: DatasetRecord) -> ImageCount:
    files = _image_files(plan.folder / plan.root_of(dataset))
    if not files:
        return _missing(plan, dataset)
    sizes = []
    for file in files[:: max(1, len(files) // _LOOKED_AT)]:
        with contextlib.suppress(InputError):  # the index names it
            sizes.append(image_size(file))
    sizes = sizes or [ASSUMED[kind_of(plan.study, dataset)][::-1]]
    height, width = (round(sum(lengths) / len(sizes)) for lengths in zip(*sizes, strict=True))
    stored = float(sum(file.stat().st_size for file in files))
    jpegs = sum(file.suffix.lower() in (".jpg", ".jpeg") for file in files) / len(files)
    return ImageCount(len(files), len(files) if record.score else 0, width, height, jpegs, stored)


def _missing(plan: Plan, dataset: str) -> ImageCount:
    root = plan.root_of(dataset)
    return ImageCount(
        missing=f"datasets.{dataset}: {root} is absent or holds no image, so that its work is left out; put the images"
        " there, or set root, and ask again."
    )


def _image_files(folder: Path) -> list[Path]:
    return find_images(folder).files if folder.is_dir() else []
