"""Rectilinear viewports of equirectangular panoramas."""

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from iqadistill.errors import InputError
from iqadistill.panorama.sphere import wrap_yaw

Angles = Tensor | np.ndarray | float

ONE_TO_ONE = 1.1  # panorama pixels per viewport pixel up to which a single bilinear sample is enough
HALVED_FROM = 4  # panorama pixels per viewport pixel from which the panorama is halved first; earlier it would blur


def extract_viewports(panorama: Tensor, yaw: Angles, pitch: Angles, fov: Angles, size: int) -> Tensor:
    """Cut upright, square, rectilinear viewports out of an equirectangular panorama.

    Samples are bilinear between pixel centres, also across the seam and over the poles. A viewport that shows the
    panorama about 1:1 or larger takes one sample per pixel. A wider one would alias detail that is finer than its
    pixels, so each of its pixels is an average over the area it covers: it is sampled on a finer grid that is averaged,
    once the panorama is halved as often as a viewport pixel spans four of its pixels or more. Such a viewport shows
    what an eye sees at that scale, but a distortion finer than its pixels is averaged away as well: to assess it,
    choose `native_fov`.

    Args:
        panorama: Panorama (3, H, W) of even width; any floating type, or uint8.
        yaw: Yaw (n,) of the viewing directions in radians.
        pitch: Pitch (n,) of the viewing directions in radians.
        fov: Full horizontal angle in radians, inside (0, pi): a scalar or (n,).
        size: Side of a viewport in pixels.

    Returns:
        Viewports (n, 3, size, size) on the panorama's device; of the panorama's type, or float32 with values 0..255 for
        uint8.

    Raises:
        InputError: The panorama does not have three dimensions or has an odd width, or a field of view is outside
            (0, pi).
    """
    if panorama.ndim != 3 or panorama.shape[-1] % 2:
        raise InputError(
            f"panorama of shape {tuple(panorama.shape)}: expected (channels, height, width) with an even width, "
            "because beyond a pole a row continues half a turn away; crop or resize it."
        )
    kind = torch.float64 if panorama.dtype == torch.float64 else torch.float32
    yaw, pitch, fov = (_tensor(angle).to(panorama.device, kind) for angle in (yaw, pitch, fov))
    if not bool(((fov > 0) & (fov < math.pi)).all()):
        raise InputError(
            "viewport: fov outside (0, pi) radians; a rectilinear view spans less than half a turn; change fov."
        )

    fov = fov.expand(yaw.shape)
    viewports = panorama.new_empty((len(yaw), len(panorama), size, size), dtype=kind)
    for angle in fov.unique():
        rows = fov == angle
        viewports[rows] = _filtered_viewports(panorama, yaw[rows], pitch[rows], angle, size)
    return viewports.to(panorama.dtype) if panorama.is_floating_point() else viewports


def _filtered_viewports(panorama: Tensor, yaw: Tensor, pitch: Tensor, fov: Tensor, size: int) -> Tensor:
    """Viewports (n, 3, size, size) of one field of view, each pixel an average over the area it covers.

    Halving needs no pixel from beyond the seam or a pole, as the width and height are even.
    """
    pixel = 2 * math.tan(float(fov) / 2) / size  # tangent of the angle that the central pixel of the viewport spans
    while (read := pixel * panorama.shape[2] / (2 * math.pi)) >= HALVED_FROM and _can_be_halved(panorama):
        panorama = functional.avg_pool2d(panorama.to(yaw.dtype).unsqueeze(0), 2).squeeze(0)
    samples = math.ceil(max(1.0, read / ONE_TO_ONE))
    padded = _pad_over_edges(panorama, yaw.dtype)
    # a finer grid takes fewer viewports at a time, so that it needs no more memory than a grid of one sample per pixel
    few = max(1, len(yaw) // samples**2)
    views = (
        _sample(padded, *angles, fov, size * samples) for angles in zip(yaw.split(few), pitch.split(few), strict=True)
    )
    return torch.cat([_average(view, samples) for view in views])


def _can_be_halved(panorama: Tensor) -> bool:
    """Whether a panorama of half the size has whole pixels and an even width again."""
    _, height, width = panorama.shape
    return height % 2 == 0 and width % 4 == 0


def _average(viewports: Tensor, samples: int) -> Tensor:
    return viewports if samples == 1 else functional.avg_pool2d(viewports, samples)


def _sample(padded: Tensor, yaw: Tensor, pitch: Tensor, fov: Tensor, size: int) -> Tensor:
    """Viewports (n, 3, size, size) of a panorama that is padded by one pixel, with one bilinear sample per pixel."""
    offset = (torch.arange(size, dtype=yaw.dtype, device=padded.device) + 0.5) / size * 2 - 1
    reach = torch.tan(fov / 2)
    yaw, pitch = _directions(reach * offset, -reach * offset[:, None], yaw.reshape(-1, 1, 1), pitch.reshape(-1, 1, 1))

    # In the padded panorama the original spans [1, W + 1] x [1, H + 1]; grid_sample counts from -1 to 1 over all of it.
    height, width = padded.shape[1] - 2, padded.shape[2] - 2
    column = torch.remainder(yaw / (2 * math.pi) + 0.5, 1) * width + 1
    row = (0.5 - pitch / math.pi) * height + 1
    grid = torch.stack([column / (width + 2) * 2 - 1, row / (height + 2) * 2 - 1], dim=-1)
    batch = padded.expand(len(grid), -1, -1, -1)
    return functional.grid_sample(batch, grid, mode="bilinear", padding_mode="border", align_corners=False)


def viewport_outline(yaw: Angles, pitch: Angles, fov: Angles, points: int = 32) -> tuple[np.ndarray, np.ndarray]:
    """Border of viewports as closed polygons on the sphere, for drawing on a panorama.

    Args:
        yaw: Yaw of the viewing directions in radians, a scalar or (n,).
        pitch: Pitch of the viewing directions in radians, a scalar or (n,).
        fov: Full horizontal angle in radians, a scalar or (n,).
        points: Number of points on each of the four sides.

    Returns:
        Yaw in [-pi, pi) and pitch, each (..., 4 * points + 1): clockwise from the upper left corner, first point
        repeated. Neighbours whose yaw differs by more than pi lie on either side of the seam.
    """
    yaw, pitch, fov = (_tensor(angle).cpu().double().unsqueeze(-1) for angle in (yaw, pitch, fov))
    side, edge = torch.linspace(-1, 1, points + 1, dtype=torch.float64)[:-1], torch.ones(points, dtype=torch.float64)
    right = torch.cat([side, edge, -side, -edge, -edge[:1]])
    up = torch.cat([edge, -side, -edge, side, edge[:1]])
    reach = torch.tan(fov / 2)
    yaw, pitch = _directions(reach * right, reach * up, yaw, pitch)
    return wrap_yaw(yaw.numpy()), pitch.numpy()


def _tensor(angle: Angles) -> Tensor:
    # a copy, as arrays that come from tables are read-only
    return angle if isinstance(angle, Tensor) else torch.from_numpy(np.array(angle, dtype=np.float64))


def _directions(right: Tensor, up: Tensor, yaw: Tensor, pitch: Tensor) -> tuple[Tensor, Tensor]:
    """Angles of points (right, up, 1) of a camera's image plane; the camera tilts by pitch, then turns by yaw."""
    height = up * torch.cos(pitch) + torch.sin(pitch)
    forward = torch.cos(pitch) - up * torch.sin(pitch)
    right, forward = torch.broadcast_tensors(right, forward)
    return yaw + torch.atan2(right, forward), torch.atan2(height, torch.hypot(right, forward))


def _pad_over_edges(panorama: Tensor, kind: torch.dtype) -> Tensor:
    """Pad by one pixel on each side: columns wrap around, beyond a pole a row continues along the opposite meridian."""
    channels, height, width = panorama.shape
    padded = panorama.new_empty((channels, height + 2, width + 2), dtype=kind)
    padded[:, 1:-1, 1:-1] = panorama
    padded[:, 0, 1:-1] = panorama[:, 0].roll(width // 2, -1)
    padded[:, -1, 1:-1] = panorama[:, -1].roll(width // 2, -1)
    padded[:, :, 0] = padded[:, :, -2]
    padded[:, :, -1] = padded[:, :, 1]
    return padded
