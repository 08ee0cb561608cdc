import pytest
import torch
from torch import nn

from iqadistill.errors import InputError
from iqadistill.models import create_model, load_packaged_lite0

SIZE = 96
CLASSIFIER = 2048 * 1000 + 1000  # parameters of ResNet-50's unused classifier, included in the 43 million of the paper
LOSSES = {"quality", "consistency", "ranking_consistency", "ranking"}


def small_adtrs(**settings):
    """A network with a random head: an untrained one gives every patch the same score."""
    torch.manual_seed(0)
    model = create_model("adtrs", **{"backbone": "test_resnet", "size": SIZE, **settings})
    nn.init.normal_(model.head.weight, std=0.05)
    return model


def batch(count=5, size=SIZE):
    generator = torch.Generator().manual_seed(1)
    return torch.rand(count, 3, size, size, generator=generator), torch.rand(count, generator=generator)


def symmetric_batch(count=5):
    patches, quality = batch(count)
    return (patches + patches.flip(-1)) / 2, quality


def test_parameter_count_matches_the_paper():
    with torch.device("meta"):
        model = create_model("adtrs", backbone="resnet50")
    count = sum(parameter.numel() for parameter in model.parameters())
    assert count == pytest.approx(41.3e6, rel=0.002)
    assert count + CLASSIFIER == pytest.approx(43e6, rel=0.02)


@pytest.mark.parametrize("backbone", ["resnet18", "tf_efficientnet_lite0", "test_convnext"])
def test_patches_of_any_size_are_scored(backbone):
    model = small_adtrs(backbone=backbone, size=128).eval()
    with torch.inference_mode():
        for size in (96, 128, 160):
            assert model(batch(3, size)[0]).shape == (3,)


def test_initial_scores_are_one_half():
    torch.manual_seed(0)
    model, (patches, _) = create_model("adtrs", backbone="test_resnet", size=SIZE), batch()
    assert model(patches).tolist() == [0.5] * 5
    model.losses(patches, torch.rand(5))["quality"].backward()
    assert model.head.weight.grad.any()


def test_scores_do_not_depend_on_the_batch_in_eval_mode():
    model, (patches, _) = small_adtrs().eval(), batch()
    torch.testing.assert_close(model(patches)[1:3], model(patches[1:3]))


def test_pixels_are_normalised_for_the_backbone():
    model = small_adtrs(backbone="resnet18")
    seen = []
    model.backbone.network.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    model(torch.ones(2, 3, SIZE, SIZE))
    assert seen[0][0, :, 0, 0].tolist() == pytest.approx([0.515 / 0.229, 0.544 / 0.224, 0.594 / 0.225])


def test_packaged_weights_are_loaded():
    model, packaged = small_adtrs(backbone="tf_efficientnet_lite0", weights="packaged"), load_packaged_lite0()
    state = model.backbone.network.state_dict()
    assert len(state) > 200
    assert all(torch.equal(tensor, packaged.state_dict()[key]) for key, tensor in state.items())


def test_branches_have_only_the_layers_they_use():
    modules = {
        branches: {name for name, _ in small_adtrs(branches=branches).named_children()}
        & {"attention", "attention_head"}
        for branches in ("fused", "cnn", "attention")
    }
    assert modules == {
        "fused": {"attention", "attention_head"},
        "attention": {"attention", "attention_head"},
        "cnn": set(),
    }
    assert [small_adtrs(branches=branches).head.in_features for branches in modules] == [192, 96, 96]


@pytest.mark.parametrize("blocks", [1, 2])
def test_each_attention_block_halves_the_map(blocks):
    model = small_adtrs(blocks=blocks).eval()
    maps = model._maps(model._stages(batch(2)[0]), 0.0)
    assert maps["cnn"].shape[-2:] == (3, 3)
    assert maps["attention"].shape[-2:] == ((2, 2), (1, 1))[blocks - 1]


def test_changed_attention_biases_take_effect_in_eval_mode():
    model, (patches, _) = small_adtrs().eval(), batch(2)
    before = model(patches)
    with torch.no_grad():
        model.attention[0].attention_biases.normal_(std=5)
    assert not torch.allclose(model(patches), before, atol=1e-6)


def test_losses_scale_with_their_weights():
    patches, quality = batch()
    plain = dict.fromkeys(LOSSES, 1.0)
    parts = small_adtrs(dropout=0.0, **{f"{key}_weight": weight for key, weight in plain.items()}).losses(
        patches, quality
    )
    assert set(parts) == LOSSES
    for key in LOSSES:
        weights = {f"{name}_weight": 3.0 if name == key else 1.0 for name in LOSSES}
        heavier = small_adtrs(dropout=0.0, **weights).losses(patches, quality)
        assert {name for name in LOSSES if heavier[name] != parts[name]} == {key}
        torch.testing.assert_close(heavier[key], 3 * parts[key])


@pytest.mark.parametrize("part", sorted(LOSSES))
def test_loss_of_zero_weight_is_skipped(part):
    assert set(small_adtrs(**{f"{part}_weight": 0.0}).losses(*batch())) == LOSSES - {part}


@pytest.mark.parametrize("branches", ["fused", "cnn", "attention"])
def test_backbone_runs_once_per_view(branches):
    model, passes = small_adtrs(branches=branches), []
    model.backbone.register_forward_hook(lambda *_: passes.append(1))
    sum(model.losses(*batch()).values()).backward()
    assert len(passes) == 2
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_consistency_loss_trains_backbone_and_attention_only():
    model = small_adtrs(quality_weight=0.0, ranking_weight=0.0, ranking_consistency_weight=0.0)
    model.losses(*batch())["consistency"].backward()
    with_gradient = {name.split(".")[0] for name, parameter in model.named_parameters() if parameter.grad is not None}
    assert with_gradient == {"backbone", "attention"}


@pytest.mark.parametrize("consistency_dropout", ["one_view", "both_views"])
def test_symmetric_image_is_consistent_except_for_dropout(consistency_dropout):
    parts = [
        small_adtrs(dropout=dropout, consistency_dropout=consistency_dropout).losses(*symmetric_batch())["consistency"]
        for dropout in (0.0, 0.5)
    ]
    assert parts[0].item() == pytest.approx(0, abs=1e-6)
    assert parts[1] > 0.01


def test_consistency_dropout_is_in_one_or_both_views(monkeypatch):
    masks = []

    def recorded(stage, rate, training):
        masks.append((rate, torch.is_grad_enabled()))
        return stage

    monkeypatch.setattr("torch.nn.functional.dropout", recorded)
    for consistency_dropout, targets in {"one_view": 2, "both_views": 0}.items():
        masks.clear()
        small_adtrs(consistency_dropout=consistency_dropout).losses(*batch())
        assert masks == [(0.1, True)] * 8 + [(0.0, False)] * 4 * targets


class EquivariantBackbone(nn.Module):
    """An exactly equivariant backbone: average pooling."""

    def forward(self, patches):
        return [nn.functional.avg_pool2d(patches, 32)]


@pytest.mark.parametrize("transform", ["horizontal_flip", "vertical_flip", "rotation"])
def test_equivariant_backbone_is_consistent_if_maps_are_aligned(transform):
    for align, consistent in ((True, True), (False, False)):
        model = small_adtrs(branches="cnn", transform=transform, align=align)
        model.backbone, model.head = EquivariantBackbone(), nn.Linear(3, 1)
        assert (model.losses(*batch())["consistency"] < 1e-6) == consistent


@pytest.mark.parametrize("count", [1, 2, 3])
def test_small_batch_has_quality_loss_only(count):
    parts = small_adtrs().eval().losses(*batch(count))
    assert parts["ranking"] == parts["ranking_consistency"] == 0
    assert parts["quality"] > 0


@pytest.mark.parametrize("transform", ["vertical_flip", "rotation", "scaling"])
def test_bfloat16_gradients_are_finite_with_any_transform(transform):
    model = small_adtrs(transform=transform, align=True)
    with torch.autocast("cpu", torch.bfloat16):
        total = sum(model.losses(*batch()).values())
    total.backward()
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters())


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"backbone": "resnet51"}, "'resnet5"),
        ({"backbone": "resnet18", "weights": "packaged"}, "resnet18: .*packaged .* tf_efficientnet_lite0"),
        ({"weights": "imagenet"}, "weights: .*'imagenet'.* packaged, hub, none"),
        ({"weights": "none", "pretrained": True}, "pretrained.* weights"),
        ({"backbone": "vit_tiny_patch16_224"}, "vit_tiny_patch16_224.* 96"),
        ({"branches": "both"}, "adtrs.branches: .*'both'"),
        ({"consistency_dropout": "none"}, "adtrs.consistency_dropout: .*'none'"),
        ({"blocks": 0}, "adtrs.blocks: "),
        ({"blocks": 3}, "blocks 3.* 96 .*3 x 3"),
        ({"heads": 6}, "adtrs.heads: .* 8, 16.* found 6"),
        ({"dropout": 1.0}, "adtrs.dropout: "),
        ({"transform": "flip"}, "adtrs.transform: .*'flip'"),
        ({"margin_scale": -1.0}, "adtrs.margin_scale: "),
        ({f"{part}_weight": 0.0 for part in LOSSES}, "adtrs: .*weights"),
    ],
)
def test_invalid_settings_are_refused(settings, match):
    with pytest.raises(InputError, match=match):
        small_adtrs(**settings)


@pytest.mark.parametrize("heads", [1, 4, 64])
def test_heads_share_the_channels(heads):
    model, (patches, quality) = small_adtrs(heads=heads), batch()
    (block,) = model.attention
    assert block.k(torch.zeros(1, sum(model.backbone.channels), 3, 3)).shape[1] == 256
    assert block.attention_biases.shape[0] == heads
    sum(model.losses(patches, quality).values()).backward()
    assert block.attention_biases.grad.any(dim=1).all()


@pytest.mark.parametrize("span", [1, 9, 100, 115])
def test_losses_and_gradients_are_those_of_the_release_on_raw_labels(span):
    """The release learns raw labels with a head that predicts them; the ratio of its parts decides what is learned."""
    (patches, quality), model, release = batch(6), small_adtrs(dropout=0.0), small_adtrs(dropout=0.0)
    model.set_score_span(span)
    with torch.no_grad():
        release.head.weight.mul_(span)
        release.head.bias.mul_(span)
    ours, theirs = model.losses(patches, quality), release.losses(patches, span * quality)
    assert set(ours) == LOSSES
    for name in LOSSES:
        torch.testing.assert_close(
            ours[name], theirs[name], rtol=1e-4, atol=1e-5 * span
        )  # differences of larger numbers
    ratios = []
    for network, parts in ((model, ours), (release, theirs)):
        layer = [parameter for parameter in network.backbone.parameters() if parameter.ndim > 1]
        norms = [
            torch.cat([part.flatten() for part in torch.autograd.grad(parts[name], layer, retain_graph=True)]).norm()
            for name in ("consistency", "quality")
        ]
        ratios.append(float(norms[0] / norms[1]))
    assert ratios[0] == pytest.approx(ratios[1], rel=1e-3)


def test_consistency_weighs_less_the_longer_the_scale():
    """On qualities in [0, 1] it would weigh as many times more as the scores span."""
    patches, quality = batch(6)
    shares = []
    for span in (1.0, 100.0):
        model = small_adtrs(dropout=0.0)
        model.set_score_span(span)
        parts = model.losses(patches, quality)
        shares.append((parts["consistency"] / parts["quality"]).item())
    assert shares[0] == pytest.approx(100 * shares[1], rel=1e-4)


def test_span_of_the_settings_prevails():
    model = small_adtrs(score_span=100)
    model.set_score_span(4)
    assert model.score_span == 100
    assert small_adtrs().score_span == 1
