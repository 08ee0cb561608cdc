"""Checkpoints of random structure and mutated bytes: a state dict or one sentence."""

import io

import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save

from iqadistill.errors import InputError
from iqadistill.models.weights_file import WRAPPERS, check_state, read_state_dict, without_prefix

EXPECTED = {"a.weight": torch.ones(2, 3), "a.bias": torch.ones(2), "b": torch.ones(())}
FAST = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-9, 9)
    | st.text(max_size=6)
    | st.sampled_from(
        [torch.ones(2), torch.ones(2, 3).half(), torch.ones(2, 2).to_sparse(), torch.empty(1, device="meta")]
    )
)
NAMES = st.sampled_from([*WRAPPERS, *EXPECTED, "module.a.bias", "x.b"]) | st.text(max_size=6) | st.integers(0, 3)
TREES = st.recursive(
    LEAVES, lambda inner: st.dictionaries(NAMES, inner, max_size=4) | st.lists(inner, max_size=3), max_leaves=8
)


def saved(**options):
    buffer = io.BytesIO()
    torch.save({"state_dict": EXPECTED}, buffer, **options)
    return buffer.getvalue()


FILES = (saved(), saved(_use_new_zipfile_serialization=False), save(EXPECTED))


def read(path):
    try:
        state = without_prefix(read_state_dict(path), EXPECTED, path)
        check_state(state, EXPECTED, path, "the network")
    except InputError as error:
        assert "\n" not in str(error) and len(str(error)) < 1000


@FAST
@given(TREES)
def test_random_structure(tmp_path, tree):
    torch.save(tree, tmp_path / "weights.pth")
    read(tmp_path / "weights.pth")


@FAST
@given(
    st.sampled_from(FILES),
    st.lists(st.tuples(st.integers(0, 5000), st.binary(min_size=1, max_size=4)), min_size=1, max_size=4),
    st.integers(0, 5000),
    st.booleans(),
)
def test_mutated_bytes(tmp_path, content, edits, length, cut):
    content = bytearray(content)
    for place, bytes_ in edits:
        place %= len(content)
        content[place : place + len(bytes_)] = bytes_
    (tmp_path / "weights.pth").write_bytes(content[:length] if cut else content)
    read(tmp_path / "weights.pth")
