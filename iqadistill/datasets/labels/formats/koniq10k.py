"""KonIQ-10k: koniq10k_scores_and_distributions.csv, and koniq10k_distributions_sets.csv with the authors' split."""

from pathlib import Path

from iqadistill.datasets.labels.label import Label
from iqadistill.datasets.labels.label_files import as_number, read_csv
from iqadistill.datasets.labels.unpacked_folder import UnpackedFolder
from iqadistill.errors import InputError

ROLES = {"training": "train", "validation": "val", "test": "test"}
CHOICES = {"c1": 1, "c2": 2, "c3": 3, "c4": 4, "c5": 5}


def read_labels(folder: UnpackedFolder) -> list[Label]:
    """Labels of KonIQ-10k.

    The two files hold different scores under one name: MOS is a mean on the scale 1 to 5 in the first and a rescaled
    z-score up to 100 in the second. The scale 1 to 5 is used: without the first file, the mean is computed from the
    shares of the five choices in the second. The official split is known where the second file exists.
    """
    name = "koniq10k_scores_and_distributions.csv"
    split = folder.find("koniq10k_distributions_sets.csv")
    roles = _roles(folder.root / split) if split else {}
    if folder.find(name) is None and split:
        scores = _from_shares(folder.root / split)
    else:
        scores = _from_scores(folder.need(name, "koniq10k_distributions_sets.csv"))
    return [label._replace(official_role=roles.get(label.image)) for label in scores]


def _from_scores(file: Path) -> list[Label]:
    return [
        Label(where, f"1024x768/{image}", as_number(where, "MOS", score), as_number(where, "SD", deviation))
        for where, (image, score, deviation) in read_csv(file, ["image_name", "MOS", "SD"])
    ]


def _from_shares(file: Path) -> list[Label]:
    labels = []
    for where, (image, deviation, *shares) in read_csv(file, ["image_name", "SD", *CHOICES]):
        fractions = [as_number(where, column, share) for column, share in zip(CHOICES, shares, strict=True)]
        score = sum(choice * share for choice, share in zip(CHOICES.values(), fractions, strict=True)) / sum(fractions)
        labels.append(Label(where, f"1024x768/{image}", score, as_number(where, "SD", deviation)))
    return labels


def _roles(file: Path) -> dict[str, str]:
    roles = {}
    for where, (image, name) in read_csv(file, ["image_name", "set"]):
        if name not in ROLES:
            raise InputError(
                f"{where}: set {name!r} is unknown, expected one of {', '.join(ROLES)}; get the file again."
            )
        roles[f"1024x768/{image}"] = ROLES[name]
    return roles
