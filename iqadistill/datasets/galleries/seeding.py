"""Random streams that depend on names only, so neither order nor number of threads changes a result."""

import hashlib

import numpy as np


def random_stream(seed: int, *names: object) -> np.random.Generator:
    """A generator of its own for every (seed, names): the same names give the same numbers, whatever ran before."""
    digest = hashlib.blake2b("\0".join(map(str, (seed, *names))).encode(), digest_size=16).digest()
    return np.random.default_rng(int.from_bytes(digest, "little"))
