"""Rendering of datasets: galleries, distorted panoramas, noise.

Images are written first and images.csv last, each atomically: a folder with images.csv is complete.
"""

import warnings
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from iqadistill.atomic_writing import write_atomically
from iqadistill.console import progress
from iqadistill.datasets.galleries.distortions import DISTORTIONS, LEVELS
from iqadistill.datasets.galleries.local_damage import LOCAL, LOCAL_LEVELS, draw_local_score, region_of
from iqadistill.datasets.galleries.psnr_matching import match_settings
from iqadistill.datasets.galleries.random_draws import draw_score, random_stream
from iqadistill.datasets.galleries.rooms import furnish_room, render_room
from iqadistill.datasets.galleries.scenes import Scene, gallery_scenes
from iqadistill.datasets.regions import Region
from iqadistill.datasets.simulated_scores import opinion_std
from iqadistill.errors import InputError
from iqadistill.images.decoding import read_image
from iqadistill.images.listing import IMAGE_SUFFIXES, find_images
from iqadistill.parallel import map_ahead
from iqadistill.tables import write_csv

WIDTHS = {"gallery360": 1024, "gallery2d": 512, "panoramas": 1024, "noise360": 1024}
WIDTHS |= {source: WIDTHS[gallery] for source, (gallery, _) in LOCAL.items()}
NOISE_PANORAMAS = 3  # per kind of noise


def render_dataset(
    source: str, folder: Path, *, seed: int, root: Path | None = None, workers: int = 1, width: int | None = None
) -> None:
    """Render a dataset into `folder`: images as PNG, then images.csv.

    Every scene comes pristine (a reference, without score) and distorted by each of `DISTORTIONS` at five levels with
    simulated scores; noise360 consists of six unscored panoramas of independent pixel noise. In a local gallery, each
    image is distorted in one region, at four levels. The result depends on the seed only, not on the number of workers.

    Args:
        source: "gallery360" (rooms papered with the bundled colour photographs), "gallery2d" (the bundled photographs),
            "gallery360_local" and "gallery2d_local" (the same contents, damaged locally), "panoramas" (pristine
            equirectangular images in `root`) or "noise360".
        folder: Target folder.
        seed: Seed of rooms, noise and scores.
        root: Folder of the pristine panoramas; subfolders are ignored.
        workers: Number of threads.
        width: Width of a panorama, or longer side of a flat image, in pixels; smaller images keep their size. Default:
            1024 for panoramas, 512 for flat images.

    Raises:
        InputError: The source is unknown; root is missing, holds no image or two images of one name; an image cannot be
            decoded or is not a 2:1 panorama; the width is odd.
    """
    if source not in WIDTHS:
        raise InputError(f"source {source!r} cannot be rendered; expected one of {sorted(WIDTHS)}.")
    width = WIDTHS[source] if width is None else width
    if width < 16 or width % 2:
        raise InputError(f"width {width}: expected an even number of pixels, 16 at least.")
    folder = Path(folder)
    (folder / "images.csv").unlink(missing_ok=True)
    if source == "noise360":
        rows = _write_noise(folder, seed, width, workers)
    else:
        pristine = _write_pristine(source, folder, seed, root, width, workers)
        rows = _write_distorted(source, pristine, folder, seed, workers)
    write_csv(pd.DataFrame(rows).astype({"level": "Int32"}), folder / "images.csv")


def _write_pristine(
    source: str, folder: Path, seed: int, root: Path | None, width: int, workers: int
) -> dict[str, Path]:
    """Write the pristine image of every scene; returns its file by scene name."""
    gallery, _ = LOCAL.get(source, (source, ""))
    if gallery == "gallery360":
        scenes = {scene.name: partial(_room, scene, seed, width) for scene in gallery_scenes()}
    elif gallery == "gallery2d":
        scenes = {scene.name: partial(_photograph, scene, width) for scene in gallery_scenes(grey=True)}
    else:
        scenes = {file.stem: partial(_panorama, file, width) for file in _panorama_files(root)}

    def write(name: str) -> Path:
        return _write_image(scenes[name](), folder / name / "pristine.png")

    files = list(progress(map_ahead(write, scenes, workers), "pristine scenes", total=len(scenes)))
    return dict(zip(scenes, files, strict=True))


def _room(scene: Scene, seed: int, width: int) -> np.ndarray:
    room = furnish_room(read_image(scene.path), random_stream(seed, "room", scene.name), width=width)
    return render_room(room, width)


def _photograph(scene: Scene, longest: int) -> np.ndarray:
    photograph = Image.fromarray(read_image(scene.path))
    photograph.thumbnail((longest, longest), Image.Resampling.LANCZOS)
    return np.asarray(photograph)


def _panorama(file: Path, width: int) -> np.ndarray:
    panorama = read_image(file)
    if panorama.shape[1] != 2 * panorama.shape[0]:
        raise InputError(
            f"{file}: is {panorama.shape[1]}x{panorama.shape[0]} pixels, but an equirectangular panorama is exactly "
            "twice as wide as high; crop it or remove it from the folder."
        )
    resized = Image.fromarray(panorama)
    resized.thumbnail((width, width // 2), Image.Resampling.LANCZOS)
    return np.asarray(resized)


def _panorama_files(root: Path | None) -> list[Path]:
    if root is None or not Path(root).is_dir():
        raise InputError(f"panoramas: root {root} is not a folder; set it to the folder of your pristine panoramas.")
    files, left_out = find_images(root, below=False)
    for sentence in left_out:
        warnings.warn(sentence, stacklevel=2)
    if not files:
        raise InputError(f"panoramas: {root} holds no image ({', '.join(IMAGE_SUFFIXES)}); put your panoramas there.")
    seen: dict[str, Path] = {}
    for file in files:
        if other := seen.get(file.stem):
            raise InputError(f"panoramas: {other} and {file} have the same name; rename one of them.")
        seen[file.stem] = file
    return files


def _write_distorted(source: str, pristine: dict[str, Path], folder: Path, seed: int, workers: int) -> list[dict]:
    """Write every distorted image; returns the rows of images.csv, each scene's reference first."""
    settings = match_settings(list(pristine.values()), workers=workers)

    def distort(job: tuple[str, str]) -> list[dict]:
        scene, name = job
        return list(_distorted_levels(source, scene, pristine[scene], name, settings[name], folder, seed))

    jobs = [(scene, name) for scene in pristine for name in DISTORTIONS]
    distorted = progress(map_ahead(distort, jobs, workers), "distorted scenes", total=len(jobs))
    rows_of = dict(zip(jobs, distorted, strict=True))
    rows = []
    for scene in pristine:
        rows.append(_row(f"{scene}/pristine.png", reference=f"{scene}/pristine.png", is_reference=True))
        for name in DISTORTIONS:
            rows.extend(rows_of[scene, name])
    return rows


def _distorted_levels(
    source: str, scene: str, pristine: Path, name: str, settings: tuple[float, ...], folder: Path, seed: int
) -> Iterator[dict]:
    distortion, image = DISTORTIONS[name], read_image(pristine)
    for level, setting in zip(LEVELS, settings, strict=True):
        if source in LOCAL and level not in LOCAL_LEVELS:
            continue
        label = (seed, source, scene, name, level)
        region = region_of(*label) if source in LOCAL else None
        distorted = distortion.apply(image, setting, random_stream(seed, "pixels", source, scene, name, level))
        if region is None:
            score, deviation = draw_score(*label), opinion_std(name, level)
        else:
            distorted = np.where(region.mask(*image.shape[:2])[..., None], distorted, image)
            score, deviation = draw_local_score(*label, region)
        file = _write_image(distorted, folder / scene / f"{name}_{level}.png")
        yield _row(
            file.relative_to(folder).as_posix(),
            score=round(score, 4),
            score_std=round(deviation, 4),
            reference=f"{scene}/pristine.png",
            distortion=name,
            level=level,
            setting=setting,
            proxy=distortion.proxy,
            region=region,
        )


def _write_noise(folder: Path, seed: int, width: int, workers: int) -> list[dict]:
    """Panoramas of independent pixel noise, uniform or Gaussian around mid-grey."""

    def write(job: tuple[str, int]) -> dict:
        kind, number = job
        rng, shape = random_stream(seed, "noise", kind, number), (width // 2, width, 3)
        noise = rng.uniform(0, 256, shape) if kind == "uniform" else rng.normal(128, 48, shape)
        file = _write_image(np.clip(noise, 0, 255).astype(np.uint8), folder / f"{kind}_{number}.png")
        return _row(file.name, reference=file.name)

    jobs = [(kind, number) for kind in ("uniform", "gaussian") for number in range(1, NOISE_PANORAMAS + 1)]
    return list(progress(map_ahead(write, jobs, workers), "noise panoramas", total=len(jobs)))


def _row(
    image: str,
    *,
    reference: str,
    is_reference: bool = False,
    score: float | None = None,
    score_std: float | None = None,
    distortion: str | None = None,
    level: int | None = None,
    setting: float | None = None,
    proxy: bool = False,
    region: Region | None = None,
) -> dict:
    """A row of images.csv; `setting` is the distortion's parameter, `proxy` marks a score of another distortion.

    A row without a damaged region has no such key, so that only local galleries have the column.
    """
    row = {
        "image": image,
        "score": score,
        "score_std": score_std,
        "reference": reference,
        "is_reference": is_reference,
        "distortion": distortion,
        "level": level,
        "setting": setting,
        "proxy": proxy,
    }
    return row if region is None else row | {"region": str(region)}


def _write_image(image: np.ndarray, file: Path) -> Path:
    """Write an image as lightly compressed PNG, since speed matters more than size."""
    encode = Image.fromarray(image).save
    write_atomically(file, lambda temporary: encode(temporary, format="PNG", compress_level=1))
    return file
