import pytest
import torch

from iqadistill.errors import InputError
from iqadistill.models import create_model

SIZE = 64


def small(**settings):
    torch.manual_seed(0)
    return create_model("regressor", **{"backbone": "test_resnet", "size": SIZE, **settings})


def batch(count=4, size=SIZE):
    generator = torch.Generator().manual_seed(1)
    return torch.rand(count, 3, size, size, generator=generator), torch.rand(count, generator=generator)


@pytest.mark.parametrize("backbone", ["test_resnet", "test_convnext", "rednet26"])
def test_middle_gives_the_score_and_the_last_three_maps(backbone):
    model = small(backbone=backbone).eval()
    with torch.inference_mode():
        patches = batch(2)[0]
        scores, maps = model.middle(patches)
        torch.testing.assert_close(scores, model(patches), rtol=0, atol=0)
        torch.testing.assert_close(maps, model.backbone(patches)[1:], rtol=0, atol=0)
        torch.testing.assert_close(scores, maps[-1].mean((2, 3)) @ model.head.weight[0] + model.head.bias)
    assert scores.shape == (2,)
    assert [stage.shape[1] for stage in maps] == model.channels


def test_the_loss_is_the_mean_distance_to_the_scores():
    model, (patches, quality) = small().eval(), batch()
    losses = model.losses(patches, quality)
    expected = sum(abs(score - human) for score, human in zip(model(patches), quality, strict=True)) / len(quality)
    assert set(losses) == {"quality"}
    torch.testing.assert_close(losses["quality"], expected)


def test_gradients_reach_backbone_and_head():
    model = small()
    model.losses(*batch())["quality"].backward()
    assert {name.split(".")[0] for name, _ in model.named_parameters()} == {"backbone", "head"}
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_patches_of_other_sizes_are_scored():
    assert small().eval()(batch(2, 96)[0]).shape == (2,)


def test_dropout_is_in_training_alone():
    model, (patches, _) = small(dropout=0.5), batch()
    torch.nn.init.normal_(model.head.weight)  # an untrained one gives every patch the same score
    torch.manual_seed(0)
    assert not torch.equal(model(patches), model(patches))
    torch.testing.assert_close(model.eval()(patches), model(patches), rtol=0, atol=0)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"dropout": 1.0}, "regressor.dropout: "),
        ({"backbone": "efficientnet_bo"}, "did you mean 'efficientnet_b"),
        ({"backbone": "rednet50", "pretrained": True}, "no weights to download"),
    ],
)
def test_settings_out_of_range_are_named(settings, sentence):
    with pytest.raises(InputError, match=sentence):
        small(**settings)
