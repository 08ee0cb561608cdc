"""H.264 and HEVC as distortions: one intra frame at a fixed quantiser, encoded by x264 or x265 and decoded again."""

from fractions import Fraction
from typing import Literal

import av
import numpy as np

QUANTISERS = range(1, 52)  # 0 is lossless, 51 the coarsest

# One thread per frame: images run in parallel, and the bitstream does not depend on the number of cores.
_X265 = "log-level=none:pools=none:frame-threads=1:wpp=0"


def h264_intra(image: np.ndarray, quantiser: float, rng: np.random.Generator) -> np.ndarray:
    """One H.264 intra frame, yuv420p, at a fixed `quantiser` 1..51."""
    return _recode(image, "libx264", "h264", {"qp": str(int(quantiser)), "preset": "medium"})


def hevc_intra(image: np.ndarray, quantiser: float, rng: np.random.Generator) -> np.ndarray:
    """One HEVC intra frame, yuv420p, at a fixed `quantiser` 1..51."""
    # the fastest preset costs less than half a decibel at the same quantiser, for which matching by PSNR compensates
    options = {"preset": "ultrafast", "x265-params": f"qp={int(quantiser)}:{_X265}"}
    return _recode(image, "libx265", "hevc", options)


def _recode(
    image: np.ndarray,
    encoder_name: Literal["libx264", "libx265"],
    decoder_name: Literal["h264", "hevc"],
    options: dict[str, str],
) -> np.ndarray:
    height, width = image.shape[:2]
    # subsampled chroma needs even sides; the replicated row or column is cropped again
    even = np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    encoder = av.CodecContext.create(encoder_name, "w")
    encoder.width, encoder.height = even.shape[1], even.shape[0]
    encoder.pix_fmt, encoder.time_base = "yuv420p", Fraction(1, 25)
    encoder.thread_count = 1
    encoder.options = options
    frame = av.VideoFrame.from_ndarray(even, format="rgb24").reformat(format="yuv420p")
    packets = [*encoder.encode(frame), *encoder.encode(None)]
    decoder = av.CodecContext.create(decoder_name, "r")
    decoder.thread_count = 1
    frames = [frame for packet in packets for frame in decoder.decode(packet)] + decoder.decode(None)
    return frames[0].to_ndarray(format="rgb24")[:height, :width]
