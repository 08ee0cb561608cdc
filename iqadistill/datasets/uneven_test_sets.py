"""A sentence about test sets of other sizes than asked for, which the table of splits carries to the report."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from iqadistill.tables import read_metadata

UNEVEN = "uneven_test_sets"  # key of the metadata
FAR = 1.5  # factor by which a test set may be larger or smaller than asked for


def describe_uneven(splits: pa.Table, test_fraction: float) -> str:
    """A sentence if a test set holds far more or fewer of the images than a fraction; empty if none does.

    Args:
        splits: Table "splits" of random splits, which hold the same images each.
        test_fraction: Fraction of the images that was asked for.
    """
    tested = np.array(pc.equal(splits["role"], "test")).reshape(splits["split"][-1].as_py() + 1, -1).mean(1)
    low, high = float(tested.min()), float(tested.max())
    if test_fraction / FAR <= low and high <= test_fraction * FAR:
        return ""
    shares = " to ".join(dict.fromkeys(f"{100 * share:.0f}" for share in (low, high)))
    return (
        f"test sets hold {shares} % of the images, not {100 * test_fraction:.0f} %, as contents are few or differ in "
        "their numbers of images."
    )


def read_uneven(splits: pa.Table) -> str:
    """That sentence from the metadata of a table of splits; empty if there is none."""
    return read_metadata(splits).get(UNEVEN, "")
