"""Random draws of galleries. They depend on names only, so neither order nor number of threads changes a result."""

import hashlib

import numpy as np

from iqadistill.datasets.simulated_scores import kadid_summary, opinion_type

SCORE_RANGE = (1.0, 5.0)


def random_stream(seed: int, *names: object) -> np.random.Generator:
    """A separate generator for every (seed, names): equal names give equal numbers, whatever was drawn before."""
    digest = hashlib.blake2b("\0".join(map(str, (seed, *names))).encode(), digest_size=16).digest()
    return np.random.default_rng(int.from_bytes(digest, "little"))


def draw_score(seed: int, source: str, scene: str, distortion: str, level: int) -> float:
    """Simulated score of one image, independent of what else is drawn.

    The deviation from KADID-10k's mean opinion, in units of KADID-10k's spread, is sqrt(c) u + sqrt(1 - c) e: u is
    shared by the levels of a scene and distortion, e belongs to the image, both standard normal, and c is KADID-10k's
    correlation between levels. Deviations of different distortions are independent.

    Args:
        seed: Seed of the dataset.
        source: Source of the dataset; two datasets of one scene deviate independently.
        scene: Name of the scene.
        distortion: Name in `DISTORTIONS`.
        level: Level from 1 (mildest) to 5.
    """
    opinion = kadid_summary().loc[(opinion_type(distortion), level)]
    of_scene = random_stream(seed, "score", source, scene, distortion).standard_normal()
    of_image = random_stream(seed, "score", source, scene, distortion, level).standard_normal()
    deviation = np.sqrt(opinion.scene_correlation) * of_scene + np.sqrt(1 - opinion.scene_correlation) * of_image
    return float(np.clip(opinion["mean"] + opinion["std"] * deviation, *SCORE_RANGE))
