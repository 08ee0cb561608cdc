"""Repeated k-fold splits: in each repeat every content is tested once, and folds have equally many images."""

import heapq
from math import ceil, floor

import numpy as np

from iqadistill.errors import InputError

MAX_DEVIATION = 0.1  # of the fraction that a fold tests from test_fraction, relative
MAX_DRAWS = 1000  # of a repeat, before all are taken to be drawn already


def draw_repeated_kfold(
    num_images: np.ndarray, splits: int, test_fraction: float, val_fraction: float, rng: np.random.Generator
) -> list[tuple[str, ...]]:
    """Draw splits, one for each fold of a repeat, and further repeats, no two the same, until there are enough.

    The last repeat may be partial. The first splits stay the same when more are drawn.

    Args:
        num_images: Number of images of each content (contents,).
        splits: Number of splits.
        test_fraction: Fraction of the images to test on, which gives the number of folds.
        val_fraction: Fraction of the images for validation: whole contents whose images come nearest to it, drawn from
            those that are not tested on; at least one content if it is positive.
        rng: Source of the draws.

    Returns:
        Role of each content, "train", "val" or "test", in every split.

    Raises:
        InputError: There are too few contents for the folds, for validation, or for that many different repeats; or
            `test_fraction` gives no folds.
    """
    folds, contents = count_folds(test_fraction), len(num_images)
    if contents < folds:
        raise InputError(
            f"{contents} contents are too few for {folds} folds; add contents (column reference of images.csv), raise "
            "evaluation.test_fraction, or set evaluation.protocol: random_80_20."
        )
    draws: list[tuple[str, ...]] = []
    drawn: set[bytes] = set()
    while len(draws) < splits:
        fold_of = _draw_other_folds(num_images, folds, drawn, rng)
        if fold_of is None:
            raise InputError(
                f"{contents} contents allow only {len(draws)} different splits in {folds} folds of about equally many "
                f"images, not {splits}; lower evaluation.splits, or set evaluation.protocol: random_80_20."
            )
        for fold in range(min(folds, splits - len(draws))):
            roles = np.where(fold_of == fold, "test", "train")
            if val_fraction > 0:
                roles[_draw_validation(num_images, np.flatnonzero(fold_of != fold), val_fraction, rng)] = "val"
            draws.append(tuple(roles.tolist()))
    return draws


def count_folds(test_fraction: float) -> int:
    """Number of folds of which each holds about `test_fraction` of the images.

    Raises:
        InputError: No number of folds from 2 on comes near to it.
    """
    folds = round(1 / test_fraction)
    if folds < 2 or abs(1 / folds - test_fraction) > MAX_DEVIATION * test_fraction:
        near = sorted({max(2, floor(1 / test_fraction)), max(2, ceil(1 / test_fraction))}, reverse=True)
        raise InputError(
            f"evaluation.test_fraction is {test_fraction:g}, but equal folds test 1/2, 1/3, 1/4, 1/5, ... of the "
            f"images; give {' or '.join(f'{1 / count:.3g}' for count in near)}, or set evaluation.protocol: "
            "random_80_20."
        )
    return folds


def _draw_other_folds(
    num_images: np.ndarray, folds: int, drawn: set[bytes], rng: np.random.Generator
) -> np.ndarray | None:
    """Fold of each content (contents,), other than in the repeats before; None if there seems to be no other way."""
    for _ in range(MAX_DRAWS):
        fold_of = _draw_folds(num_images, folds, rng)
        _, first, inverse = np.unique(fold_of, return_index=True, return_inverse=True)
        partition = np.argsort(np.argsort(first))[inverse].tobytes()  # the same however its folds are numbered
        if partition not in drawn:
            drawn.add(partition)
            return fold_of
    return None


def _draw_folds(num_images: np.ndarray, folds: int, rng: np.random.Generator) -> np.ndarray:
    """Fold of each content (contents,); the fullest has at most one content's images more than the emptiest.

    Contents go to the fold with the fewest images one after another, those with many images before those with few. The
    order is drawn among contents whose numbers of images differ by less than a quarter: strictly sorted contents of
    different sizes would fall into the same folds in every repeat.
    """
    order = np.argsort(-num_images * rng.uniform(0.75, 1.0, len(num_images)))
    ties = rng.random((2, max(folds, len(order))))
    lightest = [(0, tie, fold) for fold, tie in enumerate(ties[0, :folds].tolist())]
    heapq.heapify(lightest)
    fold_of = np.empty(len(order), int)
    for content, images, tie in zip(order, num_images[order].tolist(), ties[1].tolist(), strict=False):
        total, _, fold = lightest[0]
        fold_of[content] = fold
        heapq.heapreplace(lightest, (total + images, tie, fold))
    return fold_of


def _draw_validation(
    num_images: np.ndarray, training: np.ndarray, val_fraction: float, rng: np.random.Generator
) -> list[int]:
    """Contents of `training`, in random order each that brings the number of images nearer to the fraction."""
    wanted, total = val_fraction * num_images.sum(), 0
    order, chosen = rng.permutation(training).tolist(), []
    for content in order:
        if abs(total + num_images[content] - wanted) < abs(total - wanted):
            chosen.append(content)
            total += num_images[content]
    chosen = chosen or [min(order, key=lambda content: num_images[content])]
    if len(chosen) == len(order):
        raise InputError(
            f"{len(num_images)} contents leave none for training beside those for test and validation; add contents "
            "(column reference of images.csv) or lower evaluation.val_fraction."
        )
    return chosen
