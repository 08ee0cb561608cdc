"""Content-disjoint splits: all images of one reference have the same role."""

from collections.abc import Sequence
from math import comb

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from iqadistill.errors import InputError
from iqadistill.tables import as_table

KINDS = ("random", "official")


def split_dataset(
    images: pa.Table,
    *,
    splits: int,
    test_fraction: float,
    val_fraction: float,
    seed: int,
    kinds: Sequence[str] = ("random",),
) -> pa.Table:
    """Split a dataset into train, val and test roles.

    Random splits are numbered from 0, drawn by reference, and no two are the same. The official split is the authors'
    split; its number is `splits`, with or without random ones, and readers of the table treat it as any other.

    Args:
        images: Table "images"; only scored images with status ok that are not references take part.
        splits: Number of random splits. The first ones stay the same when more are drawn.
        test_fraction: Fraction of the references to test on, in [0, 1); rounded, at least one reference if it is
            positive.
        val_fraction: Fraction of the references for validation, as `test_fraction`.
        seed: Seed of the draw.
        kinds: Kinds of splits: "random", "official" or both.

    Returns:
        Table "splits": every image once per random split; in the official one, the images to which the authors gave a
        role.

    Raises:
        InputError: No image takes part; a fraction is out of range; there are too few references for the fractions or
            for that many different splits; a kind is unknown; there is no official split, or it separates images of one
            content.
    """
    if not kinds or set(kinds) - set(KINDS):
        raise InputError(f"splits: kinds are {list(kinds)}; give random, official or both.")
    taking_part = images.filter(
        pc.and_(
            pc.and_(pc.equal(images["status"], "ok"), pc.is_valid(images["score"])),
            pc.invert(pc.fill_null(images["is_reference"], False)),
        )
    )
    parts = []
    if "random" in kinds:
        parts.append(_random_splits(taking_part, splits, test_fraction, val_fraction, seed))
    if "official" in kinds:
        parts.append(_official_split(taking_part, splits))
    return pa.concat_tables(parts)


def _random_splits(images: pa.Table, splits: int, test_fraction: float, val_fraction: float, seed: int) -> pa.Table:
    contents = images["reference_id"].to_pylist()
    references = sorted(set(contents))
    num_test, num_val = (
        _count(key, fraction, len(references))
        for key, fraction in (("test_fraction", test_fraction), ("val_fraction", val_fraction))
    )
    _check(references, splits, num_test, num_val)
    image_ids: list[str] = images["image_id"].to_pylist()
    roles: list[str] = []
    for drawn in _different_draws(len(references), splits, num_test, num_val, np.random.default_rng(seed)):
        role_of = dict(zip(references, drawn, strict=True))
        roles.extend(role_of[content] for content in contents)
    table = {"split": np.repeat(np.arange(splits), len(contents)), "image_id": image_ids * splits, "role": roles}
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


def _count(key: str, fraction: float, references: int) -> int:
    if not 0 <= fraction < 1:
        raise InputError(f"{key} is {fraction:g}, expected a fraction from 0 to below 1.")
    return max(1, round(fraction * references)) if fraction > 0 else 0


def _check(references: list[str], splits: int, num_test: int, num_val: int) -> None:
    total = len(references)
    if total == 0:
        raise InputError("no usable image has a score, so there is nothing to split; give scores in images.csv.")
    if num_test + num_val >= total:
        raise InputError(
            f"{total} references are too few for {num_test} test, {num_val} validation and a training one; "
            "add references (column reference of images.csv) or lower the fractions."
        )
    possible = comb(total, num_test) * comb(total - num_test, num_val)
    if splits > possible:
        raise InputError(
            f"{total} references allow only {possible} different splits, not {splits}; lower evaluation.splits."
        )


def _different_draws(
    total: int, splits: int, num_test: int, num_val: int, rng: np.random.Generator
) -> list[tuple[str, ...]]:
    roles = np.array(["test"] * num_test + ["val"] * num_val + ["train"] * (total - num_test - num_val))
    draws: dict[tuple[str, ...], None] = {}
    while len(draws) < splits:
        draws.setdefault(tuple(rng.permutation(roles).tolist()))
    return list(draws)
