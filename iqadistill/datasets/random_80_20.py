"""Independent random splits, which hold out the same number of contents each time, as most papers do."""

from math import comb

import numpy as np

from iqadistill.errors import InputError


def draw_random_80_20(
    num_images: np.ndarray, splits: int, test_fraction: float, val_fraction: float, rng: np.random.Generator
) -> list[tuple[str, ...]]:
    """Draw splits, no two the same. The first ones stay the same when more are drawn.

    Args:
        num_images: Number of images of each content (contents,); the draw ignores it.
        splits: Number of splits.
        test_fraction: Fraction of the contents to test on; rounded, at least one content.
        val_fraction: Fraction of the contents for validation; rounded, at least one content if it is positive.
        rng: Source of the draws.

    Returns:
        Role of each content, "train", "val" or "test", in every split.

    Raises:
        InputError: There are too few contents for the fractions or for that many different splits.
    """
    total = len(num_images)
    num_test, num_val = _count(test_fraction, total), _count(val_fraction, total)
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
    roles = np.array(["test"] * num_test + ["val"] * num_val + ["train"] * (total - num_test - num_val))
    draws: dict[tuple[str, ...], None] = {}
    while len(draws) < splits:
        draws.setdefault(tuple(rng.permutation(roles).tolist()))
    return list(draws)


def _count(fraction: float, contents: int) -> int:
    return max(1, round(fraction * contents)) if fraction > 0 else 0
