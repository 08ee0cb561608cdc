import pytest
import torch

from iqadistill.errors import InputError
from iqadistill.models import create_model


def test_forward_returns_one_score_per_embedding():
    model = create_model("mlp", width=12).eval()
    assert model(torch.rand(5, 12)).shape == (5,)
    assert [layer.out_features for layer in model.layers] == [1024, 512, 1]


def test_mlp_without_hidden_layers_is_linear():
    model = create_model("mlp", width=4, hidden=[], dropout=[])
    x = torch.rand(3, 4)
    assert torch.allclose(model(2 * x) - model(torch.zeros(3, 4)), 2 * (model(x) - model(torch.zeros(3, 4))), atol=1e-6)


def test_dropout_acts_in_training_only():
    model = create_model("mlp", width=8, hidden=[32], dropout=[0.5])
    x = torch.rand(4, 8)
    assert not torch.equal(model(x), model(x))
    model.eval()
    assert torch.equal(model(x), model(x))


def test_generator_determines_initial_weights():
    first, second = (create_model("mlp", width=8, generator=torch.Generator().manual_seed(3)) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))


@pytest.mark.parametrize(
    ("name", "settings", "match"),
    [
        ("mpl", {}, "'mlp'"),
        ("mlp", {"width": 4, "hiden": [2]}, "mlp.hiden: .*'hidden'"),
        ("mlp", {}, "mlp.width: "),
        ("mlp", {"width": 4, "hidden": [8]}, "hidden.* 1 .*dropout.* 2"),
        ("mlp", {"width": 4, "hidden": [8], "dropout": [1.0]}, "mlp.dropout.0: "),
        ("mlp", {"width": 4, "hidden": [0], "dropout": [0.1]}, "mlp.hidden.0: "),
        ("mlp", {"width": 0}, "mlp: width 0"),
    ],
)
def test_invalid_settings_are_refused(name, settings, match):
    with pytest.raises(InputError, match=match):
        create_model(name, **settings)
