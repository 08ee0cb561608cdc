"""`iqadistill choose`: the images of a folder, or of a file of embeddings, to have rated."""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from iqadistill.choosing.registry import CHOOSERS
from iqadistill.errors import InputError
from iqadistill.limits import usable_memory
from iqadistill.paths import check_output, path_argument

if TYPE_CHECKING:
    import numpy as np

    from iqadistill.embedding_blocks import EmbeddingBlocks

Embed = Callable[[], "tuple[np.ndarray | EmbeddingBlocks, dict[int, InputError]]"]
"""Gives the embeddings of images, and by its position the error that names each image without."""

PACKAGED = "tf_efficientnet_lite0"
SIDE = 224
HELD_BYTES = 5 * 2**29  # embeddings of a file that are held in memory: decoding them takes most of a pass
LONGEST = 24 * 3600  # seconds that a choice may take
# a crop shows about the same share of every photograph, whatever its resolution
CROPS = {"method": "placed_crops", "count": 3, "size": SIDE, "longer_side": 512, "small_images": "enlarge"}


def add_parser(commands: Any) -> None:
    """Add the subcommand to an argparse parser."""
    parser = commands.add_parser(
        "choose",
        help="choose the images of a folder to have rated",
        description="Choose images that cover a folder, so that a student trained on their ratings learns most.",
    )
    parser.add_argument(
        "images",
        type=path_argument,
        metavar="FOLDER",
        help="images, searched with all subfolders; or a Parquet file of embeddings (columns image_id, embedding)",
    )
    parser.add_argument("--count", required=True, type=int, metavar="N", help="number of images to choose")
    parser.add_argument(
        "--rated", type=path_argument, metavar="FILE", help="CSV whose column image names images that are rated already"
    )
    parser.add_argument(
        "--contents",
        type=path_argument,
        metavar="FILE",
        help="CSV (image, content): distortions are covered instead of contents",
    )
    parser.add_argument(
        "--encoder",
        default=PACKAGED,
        metavar="NAME",
        help=f"convolutional network of timm that embeds the images (default: {PACKAGED}, which needs no download)",
    )
    parser.add_argument(
        "--method", choices=CHOOSERS.names, default="facility", help="how images are chosen (default: facility)"
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of landmarks and random choice (default: 0)")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="default: auto")
    parser.add_argument(
        "--out",
        type=path_argument,
        default=Path("chosen.csv"),
        metavar="FILE",
        help="CSV to write (default: chosen.csv)",
    )
    parser.add_argument(
        "--embeddings",
        type=path_argument,
        metavar="FOLDER",
        help="folder where embeddings are kept as they come: an interrupted run goes on, the next choice takes seconds",
    )
    parser.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Write the chosen images with their ranks; returns 1 if an image could not be read."""
    if not given.images.exists():
        raise InputError(f"{given.images}: not a folder; give the folder that holds the images, or a Parquet file.")
    for option, file in (("--rated", given.rated), ("--contents", given.contents)):
        if file and file.is_dir():
            raise InputError(f"{option} {file}: is a folder; give a file.")
    if given.embeddings and given.embeddings.is_file():
        raise InputError(f"--embeddings {given.embeddings}: is a file; give a folder.")
    inputs = [given.rated, given.contents, given.images if given.images.is_file() else None]
    check_output("--out", given.out, filter(None, inputs))
    if given.count < 1 or given.seed < 0:
        key, value, lowest = ("--count", given.count, 1) if given.count < 1 else ("--seed", given.seed, 0)
        raise InputError(f"{key} {value}: expected {lowest} or more.")
    # imported here since torch and timm take seconds, which no other command should wait for
    import numpy as np
    import pandas as pd

    from iqadistill.choosing.choose import choose_images
    from iqadistill.tables import write_csv

    of_folder = given.images.is_dir()
    names, embed = (_images_of_folder if of_folder else _images_of_file)(given)
    rated = set(_read_column(given.rated, "image", names, given.images)[0]) if given.rated else set()
    contents = (
        dict(zip(*_read_column(given.contents, "content", names, given.images), strict=True)) if given.contents else {}
    )
    _check_count(given.count, len(set(names) - rated), given.images)
    embeddings, failures = embed()
    for failure in failures.values():
        print(f"error: {failure}", file=sys.stderr)
    names = [name for place, name in enumerate(names) if place not in failures]
    _check_count(given.count, len(set(names) - rated), given.images)
    chosen = choose_images(
        embeddings,
        given.count,
        method=given.method,
        rated=np.flatnonzero([name in rated for name in names]),
        contents=pd.factorize(np.array([contents.get(name) for name in names], dtype=object))[0],
        seed=given.seed,
    )
    rows = {"image": [names[image] for image in chosen], "rank": range(1, given.count + 1)}
    write_csv(pd.DataFrame(rows), given.out)
    print(f"{given.out}: {given.count} of {len(names)} images, by {given.method}")
    return int(bool(failures))


def _images_of_folder(given: argparse.Namespace) -> tuple[list[str], Embed]:
    """Names of the images of the folder, and what embeds them."""
    from iqadistill.devices import lease_device
    from iqadistill.sampling.registry import SAMPLERS
    from iqadistill.scoring.image_embeddings import embed_images
    from iqadistill.scoring.images import list_images
    from iqadistill.scoring.kept_embeddings import KeptEmbeddings

    paths = list_images([given.images])

    def embed() -> tuple["np.ndarray | EmbeddingBlocks", dict[int, InputError]]:
        settings = encoder_settings(given.encoder)
        made_with = {"encoder": settings.model_dump(mode="json"), "crops": CROPS}
        kept = KeptEmbeddings(given.embeddings, made_with) if given.embeddings else None
        with lease_device(given.device) as device:
            encoder = settings.create(device)
            # float32, at first one by one beside their matrix
            _check_resources(given, len(paths), 2 * 4 * len(paths) * encoder.width)
            return embed_images(paths, encoder, SAMPLERS.create(CROPS), kept=kept)

    return [path.relative_to(given.images).as_posix() for path in paths], embed


def _images_of_file(given: argparse.Namespace) -> tuple[list[str], Embed]:
    """Names of the images of the file, and what reads their embeddings."""
    from iqadistill.embedding_blocks import EmbeddingFile

    for option, differs in (("--encoder", given.encoder != PACKAGED), ("--embeddings", given.embeddings)):
        if differs:
            raise InputError(f"{option}: {given.images} holds embeddings already; leave the option out.")
    file = EmbeddingFile(given.images)

    def embed() -> tuple["np.ndarray | EmbeddingBlocks", dict[int, InputError]]:
        left = _check_resources(given, file.shape[0])
        return file.held_within(min(left, HELD_BYTES)), {}

    return file.names(), embed


def encoder_settings(name: str) -> Any:
    """Settings of the encoder: the statistics of every stage, since early ones respond to blur and noise."""
    from iqadistill.encoders.backends.timm import TimmSettings

    weights = "packaged" if name == PACKAGED else "hub"
    return TimmSettings(model=name, weights=weights, pooling="stages", size=SIDE)


def _check_count(count: int, unrated: int, images: Path) -> None:
    if count > unrated:
        raise InputError(
            f"--count {count}: {images} holds {unrated} readable images that are not rated; ask for fewer."
        )


def _check_resources(given: argparse.Namespace, n: int, embeddings: int = 0) -> float:
    """Refuse a choice among n images that would take more memory than there is, or more than a day.

    Args:
        given: Arguments of the command.
        n: Number of images.
        embeddings: Bytes of their embeddings, if these have to be in memory.

    Returns:
        Bytes that are left.

    Raises:
        InputError: It would; the message says how much, and what to do.
    """
    chooser, least = CHOOSERS[given.method], CHOOSERS["lcmd"]
    needed, smallest, usable = *(embeddings + one.memory(n) for one in (chooser, least)), usable_memory()
    if needed > usable:
        instead = f", or by lcmd, which takes {smallest / 1e9:.1f} GB" if smallest <= usable else ""
        raise InputError(
            f"--method {given.method}: {n:,} images take about {needed / 1e9:.1f} GB, and "
            f"{usable / 1e9:.1f} GB may be used; choose among fewer images{instead}."
        )
    seconds = n * given.count * chooser.pick_seconds
    if seconds > LONGEST:
        raise InputError(
            f"--count {given.count}: {given.method} passes over all {n:,} images for each one that it chooses, about "
            f"{seconds / 3600:.0f} hours in all; ask for at most {int(LONGEST / n / chooser.pick_seconds):,}, or "
            "choose among fewer images."
        )
    return usable - needed


def _read_column(file: Path, column: str, names: Sequence[str], images: Path) -> tuple[list[str], list[str | None]]:
    """The images that a CSV names, as in the folder or file, and their cells of a column; None where one is empty."""
    from iqadistill.csv_files import read_cells, require_columns, trimmed
    from iqadistill.datasets.spelling import one_spelling, posix_path

    needed = list(dict.fromkeys(("image", column)))
    cells = read_cells(file, needed)
    require_columns(file, cells.columns, needed, "add it")
    # a cell has no blanks around it, and its backslashes separate folders: files named with either are known too
    where, how = ("the folder", "path relative to the folder") if images.is_dir() else (images, "name in image_id")
    spelt = {posix_path(trimmed(name)): name for name in names} | {name: name for name in names}
    found = [spelt.get(image, image) for image in map(posix_path, cells["image"])]
    known = set(names)
    listed: dict[str, str | None] = {}
    for row, image, value in zip(cells.index, found, one_spelling(cells[column], []), strict=True):
        if image not in known:
            raise InputError(f"{file} row {row}: image {image!r} is not in {where}; give its {how}, or remove the row.")
        if listed.setdefault(image, value) != value:
            raise InputError(f"{file} row {row}: image {image!r} has two contents, {listed[image]!r} and {value!r}.")
    return list(listed), [value or None for value in listed.values()]
