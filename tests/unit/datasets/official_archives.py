"""Unpacked official archives with placeholder images, written from the real label files or from miniature ones.

A writer takes a folder and the labels in the form of the official file. `LABELS` is the folder of real label files
next to a working copy; some of them are public re-formats, which are converted to the official form here.
"""

import os
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pandas as pd
from openpyxl import Workbook
from PIL import Image
from scipy.io import loadmat, savemat

LABELS = Path(__file__).parents[4] / "shared/labels"
LIVE_FOLDERS = {"jp2k": 227, "jpeg": 233, "wn": 174, "gblur": 174, "fastfading": 174}
CSIQ_TYPES = {  # spelling in the sheet: folder, spelling in file names
    "noise": ("awgn", "AWGN"),
    "jpeg": ("jpeg", "JPEG"),
    "jpeg 2000": ("jpeg2000", "jpeg2000"),
    "fnoise": ("fnoise", "fnoise"),
    "blur": ("blur", "BLUR"),
    "contrast": ("contrast", "contrast"),
}


def place_images(folder: Path, paths: Iterable[str], size: tuple[int, int] = (16, 16)) -> None:
    """Create images of one size as hard links to one file, a bitmap whatever the suffix of the path."""
    one = folder / f".placeholder_{size[0]}x{size[1]}"
    folder.mkdir(parents=True, exist_ok=True)
    if not one.exists():
        Image.new("RGB", size).save(one, "bmp")
    made = set()
    for path in paths:
        target = folder / path
        if target.parent not in made:
            target.parent.mkdir(parents=True, exist_ok=True)
            made.add(target.parent)
        os.link(one, target)


def cells(texts: Iterable[str], shape: tuple[int, int]) -> np.ndarray:
    """A MATLAB cell array of strings."""
    texts = list(texts)
    array = np.empty(len(texts), dtype=object)
    array[:] = texts
    return array.reshape(shape)


def write_sheet(file: Path, rows: Iterable[list], *, name: str = "Sheet1", above: int = 0, left: int = 0) -> None:
    """Write a workbook whose rows start below `above` empty rows and right of `left` empty columns."""
    book = Workbook(write_only=True)
    sheet = book.create_sheet(name)
    for row in [[]] * above + [[None] * left + list(row) for row in rows]:
        sheet.append(row)
    file.parent.mkdir(parents=True, exist_ok=True)
    book.save(file)


# LIVE


def live_labels(source: str) -> tuple[dict[str, int], dict[str, np.ndarray], np.ndarray]:
    if source == "shared":
        realigned = loadmat(LABELS / "live/dmos_realigned.mat")
        names = loadmat(LABELS / "live/refnames_all.mat")["refnames_all"]
        return LIVE_FOLDERS, {key: realigned[key] for key in ("dmos_new", "dmos_std", "orgs")}, names
    folders = {"jp2k": 6, "jpeg": 8, "wn": 6, "gblur": 6, "fastfading": 6}
    copies = np.array([index == 0 for count in folders.values() for index in range(count)])
    references = [f"{'caps' if index % 2 else 'ocean'}.bmp" for count in folders.values() for index in range(count)]
    references[6] = "caps.bmp"  # copies of both references occur
    scores = np.where(copies, 0.0, np.linspace(-2.6, 111.7, len(copies)))
    arrays = {"dmos_new": scores[None], "dmos_std": scores[None] / 50, "orgs": copies[None].astype(np.uint8)}
    return folders, arrays, cells(references, (1, -1))


def write_live(folder: Path, labels: tuple) -> None:
    folders, arrays, names = labels
    folder.mkdir(parents=True, exist_ok=True)
    savemat(folder / "dmos_realigned.mat", arrays)
    savemat(folder / "refnames_all.mat", {"refnames_all": names})
    place_images(folder, (f"{name}/img{index}.bmp" for name in folders for index in range(1, folders[name] + 1)))
    place_images(folder, sorted({f"refimgs/{np.asarray(name).item()}" for name in names.ravel()}))


# CSIQ


def csiq_labels(source: str) -> list[list]:
    """Rows image, dst_idx, dst_type, dst_lev, dmos_std, dmos of sheet all_by_image."""
    if source == "shared":
        sheet = pd.read_excel(LABELS / "csiq/csiq.beta.xlsx", sheet_name="all_by_image", header=3, dtype=object)
        return sheet[["image", "dst_idx", "dst_type", "dst_lev", "dmos_std", "dmos"]].dropna().to_numpy().tolist()
    types = enumerate(CSIQ_TYPES, start=1)
    return [
        [image, index, kind, level, 0.05, level / 6 + index / 100]
        for index, kind in types
        for image in (1600, "lady_liberty")
        for level in range(1, 6)
    ]


def write_csiq(folder: Path, labels: list[list], *, flat: bool = False) -> None:
    header = ["image", "dst_idx", "dst_type", "dst_lev", "dmos_std", "dmos"]
    write_sheet(folder / "csiq.DMOS.xlsx", [header, *labels], name="all_by_image", above=3, left=3)
    for image, _, kind, level, *_ in labels:
        inner, spelling = CSIQ_TYPES[kind]
        place_images(folder / ("dst_imgs_all" if flat else f"dst_imgs/{inner}"), [f"{image}.{spelling}.{level}.png"])
    place_images(folder, sorted({f"src_imgs/{row[0]}.png" for row in labels}))


# TID2013, KADID-10k, LIVE-FB, MVAQD: text files, copied unchanged


def tid2013_labels(source: str) -> str:
    if source == "shared":
        return (LABELS / "tid2013/mos_with_names.txt").read_text()
    first = {(1, 1, 1): "I", (25, 3, 2): "I"}
    return "".join(
        f"{7 - level - kind / 30:.5f} {first.get((image, kind, level), 'i')}{image:02d}_{kind:02d}_{level}.bmp\n"
        for image in (1, 2, 25)
        for kind in (1, 3, 24)
        for level in range(1, 6)
    )


def write_tid2013(folder: Path, labels: str) -> None:
    names = [line.split()[1] for line in labels.splitlines()]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "mos_with_names.txt").write_text(labels)
    # on disk, only the first image of each reference is in upper case
    place_images(folder, (f"distorted_images/{n.lower() if '_01_1' not in n else n.upper()}" for n in names))
    numbers = sorted({name[1:3] for name in names})
    place_images(folder, (f"reference_images/{'i25.bmp' if n == '25' else f'I{n}.BMP'}" for n in numbers))


def kadid10k_labels(source: str) -> str:
    if source == "shared":
        return (LABELS / "kadid10k/dmos.csv").read_text()
    rows = [
        f"I{image:02d}_{kind:02d}_{level:02d}.png,I{image:02d}.png,{5.2 - 0.8 * level:.2f},0.5"
        for image in (1, 2, 81)
        for kind in (1, 25)
        for level in range(1, 6)
    ]
    return "\n".join(["dist_img,ref_img,dmos,var", *rows, ""])


def write_kadid10k(folder: Path, labels: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "dmos.csv").write_text(labels)
    rows = [line.split(",") for line in labels.splitlines()[1:]]
    place_images(folder / "images", [row[0] for row in rows] + sorted({row[1] for row in rows}))


def livefb_labels(source: str) -> str:
    if source == "shared":
        return (LABELS / "livefb/labels_image.csv").read_text()
    rows = [f"{subset}/p{i}.jpg,{40 + i}" for subset in ("blur_dataset", "EE371R", "voc_emotic_ava") for i in range(8)]
    return "\r\n".join(["name,mos", *rows, ""])


def write_livefb(folder: Path, labels: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "labels_image.csv").write_text(labels)
    names = [line.split(",")[0] for line in labels.splitlines()[1:]]
    place_images(folder / "database", [name for index, name in enumerate(names) if index % 8])
    place_images(folder / "database", names[::8], size=(641, 4))


def mvaqd_labels(source: str) -> str:
    if source == "shared":
        return (LABELS / "mvaqd/MVAQD_ref_dis_label.txt").read_text()
    scenes = {1: range(11, 31), 35: range(31, 35), 50: range(51, 71)}
    return "".join(f"{r}.png {i}.png {1 + i % 5 * 0.75}\n" for r, images in scenes.items() for i in images)


def write_mvaqd(folder: Path, labels: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "MVAQD_ref_dis_label.txt").write_text(labels)
    place_images(folder, sorted({name for line in labels.splitlines() for name in line.split()[:2]}), size=(16, 8))


# LIVE Challenge


def livec_labels(source: str) -> list[tuple[str, float, float]]:
    """Name, MOS and standard deviation of each image of the release, the seven training images first."""
    training = [(f"t{index}.bmp", 50.0, 20.0) for index in range(1, 8)]
    if source == "shared":
        lines = (LABELS / "livec/clive_all_clip.txt").read_text().splitlines()
        rated = [(line.split("\t")[0].removeprefix("Images/"), float(line.split("\t")[1]), 18.0) for line in lines]
    else:
        rated = [(f"{index}.{'JPG' if index > 110 else 'bmp'}", index / 2, 18.0) for index in range(99, 121)]
    return training + rated


def write_livec(folder: Path, labels: list[tuple[str, float, float]]) -> None:
    names, scores, deviations = zip(*labels, strict=True)
    (folder / "Data").mkdir(parents=True)
    savemat(folder / "Data/AllImages_release.mat", {"AllImages_release": cells(names, (-1, 1))})
    savemat(folder / "Data/AllMOS_release.mat", {"AllMOS_release": np.array([scores])})
    savemat(folder / "Data/AllStdDev_release.mat", {"AllStdDev_release": np.array([deviations])})
    place_images(folder / "Images", (f"trainingImages/{name}" if name.startswith("t") else name for name in names))


# KonIQ-10k


def koniq10k_labels(source: str) -> pd.DataFrame:
    """The table with the sets; shares of the five ratings and the number of votes give the official scores."""
    if source == "shared":
        return pd.read_csv(LABELS / "koniq10k/koniq10k_distributions_sets.csv")
    rng = np.random.default_rng(0)
    shares = rng.multinomial(100, [0.1, 0.2, 0.3, 0.3, 0.1], 30) / 100
    table = pd.DataFrame(shares, columns=["c1", "c2", "c3", "c4", "c5"])
    table.insert(0, "image_name", [f"{index}.jpg" for index in range(30)])
    sets = ["training"] * 20 + ["validation"] * 4 + ["test"] * 6
    return table.assign(c_total=100, MOS=np.linspace(5, 88, 30), SD=0.6, set=sets)


def write_koniq10k(folder: Path, labels: pd.DataFrame) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    choices = labels[["c1", "c2", "c3", "c4", "c5"]]
    official = labels.rename(columns={"MOS": "MOS_zscore"}).drop(columns="set")
    official.insert(7, "MOS", choices.to_numpy() @ np.arange(1, 6))
    official[choices.columns] = choices.mul(labels.c_total, axis=0).round().astype(int)
    official.to_csv(folder / "koniq10k_scores_and_distributions.csv", index=False)
    labels.to_csv(folder / "koniq10k_distributions_sets.csv", index=False)
    place_images(folder / "1024x768", labels.image_name)


# SPAQ


def spaq_labels(source: str) -> list[list]:
    """Rows of the workbook's columns Image name and MOS."""
    if source == "shared":
        table = pd.read_csv(LABELS / "spaq/SPAQ.txt")
        return [[Path(path).name, score] for path, score in zip(table.dis_img_path, table.score, strict=True)]
    return [[f"{index:05d}.jpg", index * 4.5] for index in range(1, 21)]


def write_spaq(folder: Path, labels: list[list]) -> None:
    rows = [["Image name", "MOS", "Brightness"], *([name, score, 50] for name, score in labels)]
    write_sheet(folder / "Annotations/MOS and Image attribute scores.xlsx", rows)
    place_images(folder / "TestImage", [name for name, _ in labels])


# CVIQ


def cviq_labels(source: str) -> list[tuple[str, float]]:
    """Name and MOS, ordered by image number."""
    if source == "shared":
        lines = [line for part in ("dis", "ref") for line in (LABELS / f"cviq/CVIQD_{part}_label.txt").open()]
        return sorted((line.split()[0], float(line.split()[1])) for line in lines)
    return [
        (f"{index:03d}.png", 74 - 5 * ((index - 1) % 34 % 11 if index % 34 else 0)) for index in range(1, 6 * 34 + 1)
    ]


def write_cviq(folder: Path, labels: list[tuple[str, float]]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    table = np.empty((len(labels), 2), dtype=object)
    for index, (name, score) in enumerate(labels):
        table[index, 0], table[index, 1] = name, score
    savemat(folder / "CVIQ.mat", {"CVIQ": table})
    place_images(folder / "CVIQ", (name for name, _ in labels), size=(16, 8))


# OIQA


def oiqa_labels(source: str) -> dict[str, np.ndarray]:
    if source == "shared":
        scores = loadmat(LABELS / "oiqa/360IQA_MOS.mat")
        return {"MOS": scores["MOS"], "MOSz": scores["MOSz"]}
    distorted = [8.5 - 1.6 * (index % 5) for index in range(6 * 20)]
    mos = np.array([distorted + [9.0] * 6]).T
    return {"MOS": mos, "MOSz": 20 + 6 * mos}


def write_oiqa(folder: Path, labels: dict[str, np.ndarray]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    savemat(folder / "360IQA_MOS.mat", labels)
    scenes = len(labels["MOS"]) // 21
    suffixes = ["jpg"] * 5 + ["png"] * 15
    images = [f"img{index + 1}.{suffixes[index % 20]}" for index in range(scenes * 20)]
    place_images(folder / "distorted_images", images, size=(16, 8))
    place_images(folder / "reference_images", [f"{scene}.bmp" for scene in range(1, scenes + 1)], size=(16, 8))


# DIV2K


def div2k_labels(source: str) -> tuple[int, int]:
    return (800, 100) if source == "shared" else (4, 2)


def write_div2k(folder: Path, labels: tuple[int, int]) -> None:
    train, valid = labels
    place_images(folder / "DIV2K_train_HR", (f"{index:04d}.png" for index in range(1, train + 1)))
    place_images(folder / "DIV2K_valid_HR", (f"{index:04d}.png" for index in range(train + 1, train + valid + 1)))


Writer = tuple[Callable, Callable]
DATASETS: dict[str, Writer] = {
    "live": (live_labels, write_live),
    "csiq": (csiq_labels, write_csiq),
    "tid2013": (tid2013_labels, write_tid2013),
    "kadid10k": (kadid10k_labels, write_kadid10k),
    "livec": (livec_labels, write_livec),
    "koniq10k": (koniq10k_labels, write_koniq10k),
    "livefb": (livefb_labels, write_livefb),
    "spaq": (spaq_labels, write_spaq),
    "cviq": (cviq_labels, write_cviq),
    "oiqa": (oiqa_labels, write_oiqa),
    "mvaqd": (mvaqd_labels, write_mvaqd),
    "div2k": (div2k_labels, write_div2k),
}
MINIATURE_COUNTS = {  # references, distorted
    "live": (2, 27),
    "csiq": (2, 60),
    "tid2013": (3, 45),
    "kadid10k": (3, 30),
    "livec": (0, 22),
    "koniq10k": (0, 30),
    "livefb": (0, 24),
    "spaq": (0, 20),
    "cviq": (6, 198),
    "oiqa": (6, 120),
    "mvaqd": (3, 44),
    "div2k": (6, 0),
}
OFFICIAL_COUNTS = {
    "live": (29, 779),
    "csiq": (30, 866),
    "tid2013": (25, 3000),
    "kadid10k": (81, 10125),
    "livec": (0, 1162),
    "koniq10k": (0, 10073),
    "livefb": (0, 39810),
    "spaq": (0, 11125),
    "cviq": (16, 528),
    "oiqa": (16, 320),
    "mvaqd": (15, 300),
    "div2k": (900, 0),
}


def write_archive(folder: Path, name: str, source: str = "miniature") -> Path:
    """Write the unpacked archive of a dataset, from its real labels (`source` "shared") or from miniature ones."""
    labels, write = DATASETS[name]
    write(folder, labels(source))
    return folder
