import pytest
import torch

from iqadistill.errors import InputError
from iqadistill.models import create_model

SIZE = 64


def small_regressor(**settings):
    torch.manual_seed(0)
    return create_model("regressor", **{"backbone": "test_resnet", "size": SIZE, **settings})


def batch(count=4, size=SIZE):
    generator = torch.Generator().manual_seed(1)
    return torch.rand(count, 3, size, size, generator=generator), torch.rand(count, generator=generator)


@pytest.mark.parametrize("backbone", ["test_resnet", "test_convnext", "rednet26"])
def test_middle_returns_score_and_last_three_maps(backbone):
    model = small_regressor(backbone=backbone).eval()
    with torch.inference_mode():
        patches = batch(2)[0]
        scores, maps = model.middle(patches)
        torch.testing.assert_close(scores, model(patches), rtol=0, atol=0)
        torch.testing.assert_close(maps, model.backbone(patches)[1:], rtol=0, atol=0)
        torch.testing.assert_close(scores, maps[-1].mean((2, 3)) @ model.head.weight[0] + model.head.bias)
    assert scores.shape == (2,)
    assert [stage.shape[1] for stage in maps] == model.channels


def test_loss_is_the_mean_absolute_error():
    model, (patches, quality) = small_regressor().eval(), batch()
    losses = model.losses(patches, quality)
    expected = sum(abs(score - target) for score, target in zip(model(patches), quality, strict=True)) / len(quality)
    assert set(losses) == {"quality"}
    torch.testing.assert_close(losses["quality"], expected)


def test_gradients_reach_backbone_and_head():
    model = small_regressor()
    model.losses(*batch())["quality"].backward()
    assert {name.split(".")[0] for name, _ in model.named_parameters()} == {"backbone", "head"}
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_patches_of_other_sizes_are_scored():
    assert small_regressor().eval()(batch(2, 96)[0]).shape == (2,)


def test_dropout_acts_in_training_only():
    model, (patches, _) = small_regressor(dropout=0.5), batch()
    torch.nn.init.normal_(model.head.weight)  # without it every patch has the same score
    torch.manual_seed(0)
    assert not torch.equal(model(patches), model(patches))
    torch.testing.assert_close(model.eval()(patches), model(patches), rtol=0, atol=0)


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"dropout": 1.0}, "regressor.dropout: "),
        ({"backbone": "efficientnet_bo"}, "'efficientnet_b"),
        ({"backbone": "rednet50", "pretrained": True}, "regressor: .*weights"),
    ],
)
def test_invalid_settings_are_refused(settings, match):
    with pytest.raises(InputError, match=match):
        small_regressor(**settings)
