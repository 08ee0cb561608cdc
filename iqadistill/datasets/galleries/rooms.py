"""Rooms ray-cast to equirectangular panoramas.

A room is a box papered with one photograph: four different crops on the walls, two further crops tiled over floor and
ceiling. Every pixel follows the ray through its own centre, so the panorama closes exactly at the seam and at the
poles.

Axes: x right, y up, z ahead (yaw 0). yaw = ((i + 0.5) / W - 0.5) 2 pi grows to the right, pitch = (0.5 - (j + 0.5) / H)
pi upwards.
"""

from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy.ndimage import map_coordinates

# (axis hit, its sign, axis and sign along which the texture's columns grow, the same for its rows); seen from inside,
# no wall shows its crop mirrored.
_FACES = (
    (2, +1, (0, +1), (1, -1)),  # ahead
    (0, +1, (2, -1), (1, -1)),  # right
    (2, -1, (0, -1), (1, -1)),  # behind
    (0, -1, (2, +1), (1, -1)),  # left
    (1, +1, (0, +1), (2, +1)),  # ceiling
    (1, -1, (0, +1), (2, -1)),  # floor
)
_WALLS = 4
_TILE = 1.5  # metres, side of a floor or ceiling tile
_SUPERSAMPLING = 2  # rays per pixel, in each direction
_BAND = 64  # rows of rays at once: keeps the temporaries in cache


@dataclass(frozen=True)
class Room:
    """A papered box and a camera in it.

    Attributes:
        half: Half the room's extent along x, y, z in metres, shape (3,).
        camera: Camera position, the room's centre being the origin, shape (3,).
        textures: One image (h, w, 3) per face, float32, in the order ahead, right, behind, left, ceiling, floor; beyond
            its borders an image continues mirrored.
        density: Texels per metre, the same on every face.
    """

    half: np.ndarray
    camera: np.ndarray
    textures: tuple[np.ndarray, ...]
    density: float


def furnish_room(photograph: np.ndarray, rng: np.random.Generator, *, width: int) -> Room:
    """Draw the shape and camera of a room, and paper it with crops of a photograph.

    Args:
        photograph: Array (H, W, 3), uint8.
        rng: Random generator of the shape, the camera position and the crops.
        width: Width of the panorama to be rendered; textures get its pixel density at the middle of a wall.
    """
    half = rng.uniform([2.0, 1.3, 2.0], [3.0, 1.6, 3.0])
    camera = half * rng.uniform(-0.15, 0.15, size=3)
    density = width / (2 * np.pi) / half[[0, 2]].mean()
    image = Image.fromarray(photograph)
    # the walls' crops stay near the photograph's four corners, so that no two are the same
    corners = rng.permutation([(x, y) for x in (0.0, 1.0) for y in (0.0, 1.0)])
    textures = []
    for face, (_, _, (across, _), _) in enumerate(_FACES):
        if face < _WALLS:
            size, position = 2 * half[[across, 1]], np.abs(corners[face] - rng.uniform(0, 0.25, size=2))
        else:
            size, position = np.full(2, _TILE), rng.uniform(0, 1, size=2)
        texels = np.maximum(2, np.rint(size * density)).astype(int)
        textures.append(_crop(image, size, position, rng.uniform(0.6, 0.8), texels))
    return Room(half, camera, tuple(textures), density)


def _crop(image: Image.Image, size: np.ndarray, position: np.ndarray, scale: float, texels: np.ndarray) -> np.ndarray:
    """Crop of aspect size[0]:size[1] that fills `scale` of the image, at a relative `position` in what remains."""
    available = np.array(image.size, dtype=float)
    extent = size * (scale * (available / size).min())
    start = (available - extent) * position
    box = (*start, *(start + extent))
    resized = image.resize(tuple(texels.tolist()), Image.Resampling.LANCZOS, box=box)
    return np.asarray(resized, dtype=np.float32)


def render_room(room: Room, width: int, *, yaw: float = 0.0) -> np.ndarray:
    """Render a room as an equirectangular panorama by ray casting.

    Args:
        room: The room.
        width: Panorama width in pixels, even; the height is half of it.
        yaw: Heading of the camera in radians, the direction of the panorama's centre column.

    Returns:
        Array (width / 2, width, 3), uint8.
    """
    columns, rows = width * _SUPERSAMPLING, width // 2 * _SUPERSAMPLING
    yaws = ((np.arange(columns) + 0.5) / columns - 0.5) * 2 * np.pi + yaw
    pitches = (0.5 - (np.arange(rows) + 0.5) / rows) * np.pi
    bands = [_cast(room, yaws, pitches[top : top + _BAND]) for top in range(0, rows, _BAND)]
    rays = np.concatenate(bands).reshape(width // 2, _SUPERSAMPLING, width, _SUPERSAMPLING, 3)
    return np.clip(np.rint(rays.mean(axis=(1, 3))), 0, 255).astype(np.uint8)


def _cast(room: Room, yaws: np.ndarray, pitches: np.ndarray) -> np.ndarray:
    """Colours (rows, columns, 3) hit by the rays of a grid of yaws and pitches."""
    flat = np.cos(pitches)[:, None]
    rise = np.broadcast_to(np.sin(pitches)[:, None], (len(pitches), len(yaws)))
    rays = np.stack([flat * np.sin(yaws), rise, flat * np.cos(yaws)])
    with np.errstate(divide="ignore"):  # a ray along a wall hits it at infinity, and so another wall first
        reach = (np.copysign(room.half[:, None, None], rays) - room.camera[:, None, None]) / rays
    hit_axis = reach.argmin(axis=0)
    points = room.camera[:, None, None] + reach.min(axis=0) * rays
    colours = np.empty((*hit_axis.shape, 3), dtype=np.float32)
    for (axis, sign, (across, right), (along, down)), texture in zip(_FACES, room.textures, strict=True):
        hit = (hit_axis == axis) & (np.sign(rays[axis]) == sign)
        if not hit.any():
            continue
        column = (room.half[across] + right * points[across][hit]) * room.density - 0.5
        row = (room.half[along] + down * points[along][hit]) * room.density - 0.5
        for channel in range(3):
            texels = texture[..., channel]
            colours[hit, channel] = map_coordinates(texels, [row, column], order=1, mode="reflect")
    return colours
