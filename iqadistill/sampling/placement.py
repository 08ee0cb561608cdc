"""Placement: places on an image chosen so that every part of it is near one of them; no pixel is looked at.

Places are points. Those of a flat image lie in its plane, in units of its longer side; those of a panorama are points
of the unit sphere, where the squared distance of two directions is 2 (1 - cos) of the angle between them.
"""

import numpy as np
import pyarrow as pa

from iqadistill.panorama.sphere import angles_to_vectors

TIE = 1e-10  # sums of distances that differ by less, relative to the largest possible one, differ by rounding only


def patch_places(patches: pa.Table, images: pa.Table) -> np.ndarray:
    """Centres of patches.

    Args:
        patches: Table "patches" of flat images or of panoramas.
        images: Table "images", whose sizes are the unit of flat images.

    Returns:
        Places (n, 2) in the plane, or (n, 3) on the unit sphere, in the order of `patches`.
    """
    frame = patches.select(["image_id", "x", "y", "yaw", "pitch", "size"]).to_pandas()
    if len(frame) and frame.yaw.notna().all():
        return angles_to_vectors(frame.yaw.to_numpy(), frame.pitch.to_numpy())
    sizes = images.select(["image_id", "width", "height"]).to_pandas().set_index("image_id").max(axis=1)
    centres = frame[["x", "y"]].to_numpy() + frame[["size"]].to_numpy() / 2
    return centres / frame.image_id.map(sizes).to_numpy()[:, None]


def choose_places(
    places: np.ndarray, count: int, *, space: np.ndarray | None = None, density: np.ndarray | None = None
) -> np.ndarray:
    """Indices of places by greedy k-medoids: each one lowers the mean squared distance of the image to them most.

    The first is the most central one, and fewer places are always the first of more. Ties go to the lower index.

    Args:
        places: Places (n, d) to choose from.
        count: Number of places, n at most.
        space: Points (m, d) that stand for the image; default: the places themselves.
        density: Weight (m,) of each point; default: all have the same.

    Returns:
        Indices (count,) in the order in which the places are chosen.
    """
    space = places if space is None else space
    density = np.ones(len(space)) if density is None else density
    distances = _squared_distances(space, places)
    nearest = np.full(len(space), distances.max(initial=0.0))
    tie = TIE * float(density.sum()) * float(distances.max(initial=0.0))
    order = np.empty(count, dtype=np.int64)
    left = np.ones(len(places), dtype=bool)
    for step in range(count):
        gains = np.where(left, density @ np.maximum(nearest[:, None] - distances, 0), -np.inf)
        order[step] = chosen = int(np.argmax(gains >= gains.max() - tie))
        left[chosen] = False
        nearest = np.minimum(nearest, distances[:, chosen])
    return order


def shares(places: np.ndarray, space: np.ndarray, density: np.ndarray | None = None) -> np.ndarray:
    """Share (n,) of the image that is nearest to each place; several nearest places have equal parts. They sum to 1.

    Args:
        places: Places (n, d).
        space: Points (m, d) that stand for the image.
        density: Weight (m,) of each point; default: all have the same.
    """
    distances = _squared_distances(space, places)
    nearest = distances <= distances.min(axis=1, keepdims=True) + TIE * distances.max()
    weight = np.ones(len(space)) if density is None else density
    return (weight / weight.sum() / nearest.sum(axis=1)) @ nearest


def best_placed(patches: pa.Table, images: pa.Table, count: int) -> pa.Table:
    """The best-placed patches of one image, each with the weight of all patches that it is nearest to.

    Args:
        patches: Table "patches" of one image.
        images: Table "images" with that image.
        count: Number of patches; all of them if there are not more.

    Returns:
        Table "patches" of at most `count` patches, in the order of `patches`, whose weights sum to 1.
    """
    places = patch_places(patches, images)
    chosen = np.sort(choose_places(places, min(count, len(places))))
    weight = shares(places[chosen], places, patches["weight"].to_numpy().astype(np.float64))
    rows = patches.take(chosen)
    column = rows.schema.get_field_index("weight")
    return rows.set_column(column, rows.schema.field(column), pa.array(weight, rows.schema.field(column).type))


def _squared_distances(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Squared distances (m, n) of points (m, d) and (n, d); exactly symmetric in the plane and on the sphere."""
    if one.shape[1] <= 3:
        return sum(((one[:, None, axis] - other[:, axis]) ** 2 for axis in range(one.shape[1])), np.zeros(()))
    squares = (one**2).sum(1)[:, None] + (other**2).sum(1) - 2 * one @ other.T
    return np.maximum(squares, 0)
