"""Fixtures of all unit tests."""

from pathlib import Path

import pytest

NETWORK_ROOMS = ("encoders", "losses", "models", "training")


@pytest.fixture(scope="module", autouse=True)
def one_thread(request):
    """Run PyTorch on one thread in tests of networks: small ones are faster so, and tests may run in parallel."""
    if request.path.relative_to(Path(__file__).parent).parts[0] not in NETWORK_ROOMS:
        yield
        return
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
