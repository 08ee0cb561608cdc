"""Content-disjoint splits: all images of one reference have the same role."""

import warnings
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from iqadistill.datasets.random_80_20 import draw_random_80_20
from iqadistill.datasets.repeated_kfold import draw_repeated_kfold
from iqadistill.datasets.uneven_test_sets import UNEVEN, describe_uneven
from iqadistill.errors import InputError
from iqadistill.tables import as_table

KINDS = ("random", "official")
PROTOCOLS = {"repeated_kfold": draw_repeated_kfold, "random_80_20": draw_random_80_20}


def split_dataset(
    images: pa.Table,
    *,
    splits: int,
    test_fraction: float,
    val_fraction: float,
    seed: int,
    kinds: Sequence[str] = ("random",),
    protocol: str = "repeated_kfold",
) -> pa.Table:
    """Split a dataset into train, val and test roles.

    Random splits are numbered from 0 and drawn by reference. The official split is the authors' split; its number is
    `splits`, with or without random ones, and readers of the table treat it as any other.

    Args:
        images: Table "images"; only scored images with status ok that are not references take part.
        splits: Number of random splits. The first ones stay the same when more are drawn.
        test_fraction: Fraction to test on, in (0, 1): of the images with repeated k-fold, else of the references.
        val_fraction: Fraction for validation, in [0, 1), as `test_fraction`.
        seed: Seed of the draw.
        kinds: Kinds of splits: "random", "official" or both.
        protocol: How random splits are drawn: "repeated_kfold" (`draw_repeated_kfold`) or "random_80_20"
            (`draw_random_80_20`).

    Returns:
        Table "splits": every image once per random split; in the official one, the images to which the authors gave a
        role. If random splits test on far more or fewer images than the fraction, a sentence in its metadata says so
        (`read_uneven`), and it is issued as a warning.

    Raises:
        InputError: No image takes part; a fraction is out of range; there are too few references for the fractions or
            for that many different splits; a kind or the protocol is unknown; there is no official split, or it
            separates images of one content.
    """
    if not kinds or set(kinds) - set(KINDS):
        raise InputError(f"splits: kinds are {list(kinds)}; give random, official or both.")
    taking_part = images.filter(
        pc.and_(
            pc.and_(pc.equal(images["status"], "ok"), pc.is_valid(images["score"])),
            pc.invert(pc.fill_null(images["is_reference"], False)),
        )
    )
    parts, facts = [], {}
    if "random" in kinds:
        drawn = _random_splits(taking_part, splits, test_fraction, val_fraction, seed, protocol)
        parts.append(drawn)
        sentence = describe_uneven(drawn, test_fraction)
        if sentence:
            warnings.warn(sentence, stacklevel=2)
            facts = {UNEVEN: sentence}
    if "official" in kinds:
        parts.append(_official_split(taking_part, splits))
    return pa.concat_tables(parts).replace_schema_metadata(facts)


def _random_splits(
    images: pa.Table, splits: int, test_fraction: float, val_fraction: float, seed: int, protocol: str
) -> pa.Table:
    for key, fraction, allowed in (
        ("test_fraction", test_fraction, 0 < test_fraction < 1),
        ("val_fraction", val_fraction, 0 <= val_fraction < 1),
    ):
        if not allowed:
            raise InputError(f"{key} is {fraction:g}, expected a fraction below 1.")
    if protocol not in PROTOCOLS:
        raise InputError(f"splits: protocol is {protocol!r}; give {' or '.join(PROTOCOLS)}.")
    if not len(images):
        raise InputError("no usable image has a score, so there is nothing to split; give scores in images.csv.")
    _, content_of, num_images = np.unique(
        np.array(images["reference_id"].to_pylist()), return_inverse=True, return_counts=True
    )
    draws = PROTOCOLS[protocol](num_images, splits, test_fraction, val_fraction, np.random.default_rng(seed))
    table = {
        "split": np.repeat(np.arange(splits), len(images)),
        "image_id": images["image_id"].to_pylist() * splits,
        "role": np.concatenate([np.array(roles)[content_of] for roles in draws]),
    }
    return as_table(pa.table(table), "splits")


def _official_split(images: pa.Table, split: int) -> pa.Table:
    given = images.filter(pc.is_valid(images["official_role"]))
    roles = set(given["official_role"].to_pylist())
    if not {"train", "test"} <= roles:
        problem = f"has only the roles {' and '.join(sorted(roles))}" if roles else "is not in its labels"
        raise InputError(
            f"splits: the official split {problem}; use random splits, or add the authors' files with the split."
        )
    counts = given.group_by("reference_id").aggregate([("official_role", "count_distinct")])
    separated = counts.filter(pc.greater(counts["official_role_count_distinct"], 1))["reference_id"].to_pylist()
    if separated:
        raise InputError(f"splits: the official split gives {separated[0]!r} several roles; use random splits.")
    table = {"split": np.full(len(given), split), "image_id": given["image_id"], "role": given["official_role"]}
    return as_table(pa.table(table), "splits")
