import pytest
import timm
import torch
from tiny_distillation import SIZE, distorted, tiny_student

from iqadistill.errors import InputError
from iqadistill.models import create_model, load_packaged_lite0

WITH_STEM = {
    "backbone": "vit_tiny_patch16_224",
    "depth": 4,
    "stem": "tf_efficientnet_lite0",
    "stem_weights": "packaged",
    "decoder_heads": 6,
    "size": 128,
}


@pytest.fixture(scope="module")
def patches():
    return distorted(4)[0]


@pytest.fixture(scope="module")
def student_with_stem():
    return tiny_student(**WITH_STEM).eval()


def parameters_of(module):
    return sum(parameter.numel() for parameter in module.parameters())


def test_default_is_deit3_small_with_two_tokens_decoder_and_three_heads():
    with torch.device("meta"):
        model, vit = create_model("rkiqt"), timm.create_model("deit3_small_patch16_224", num_classes=0)
    attention, normalised = 4 * 384 * 384 + 4 * 384, 2 * 384
    decoder = 2 * attention + 8 * 384 * 384 + 5 * 384 + 4 * normalised
    assert parameters_of(model) == parameters_of(vit) + 2 * 384 + decoder + 3 * 385
    assert model.tokens == ("cls", "conv", "inv")


@torch.no_grad()
def test_score_is_the_mean_of_the_token_scores(patches):
    model = tiny_student().eval()
    scores, _ = model.tokens_and_maps(patches)
    assert scores.shape == (4, 3)
    assert model(patches).shape == (4,)
    torch.testing.assert_close(model(patches), scores.sum(1) / 3)


@torch.no_grad()
@pytest.mark.parametrize(("tokens", "count"), [(("cls",), 1), (["cls", "inv"], 2), (("cls", "inv", "conv"), 3)])
def test_each_token_has_its_own_score(patches, tokens, count):
    model = tiny_student(tokens=tokens).eval()
    before, _ = model.tokens_and_maps(patches)
    assert before.shape == (4, count)
    for index, name in enumerate(tokens):
        changed = tiny_student(tokens=tokens).eval()
        changed.heads[name].bias += 1
        moved = changed.tokens_and_maps(patches)[0] - before
        torch.testing.assert_close(moved, torch.eye(count)[index].expand(4, -1), atol=1e-5, rtol=0)


@torch.no_grad()
def test_added_tokens_take_part_in_attention(patches):
    model = tiny_student().eval()
    scores, maps = model.tokens_and_maps(patches)
    model.added["inv"].mul_(-30)
    other, other_maps = model.tokens_and_maps(patches)
    assert (scores - other).abs().min() > 1e-6
    assert not torch.allclose(maps[-1], other_maps[-1])


@torch.no_grad()
@pytest.mark.parametrize("name", ["test_vit", "deit_tiny_distilled_patch16_224"])
def test_linear_head_is_a_plain_vision_transformer(patches, name):
    model = tiny_student(backbone=name, head="linear", depth=None).eval()
    vit = timm.create_model(name, img_size=SIZE, num_classes=0).eval()
    vit.load_state_dict(model.vit.state_dict())
    mean, std = (torch.tensor(vit.pretrained_cfg[key])[:, None, None] for key in ("mean", "std"))
    expected = model.heads["cls"](vit.forward_features((patches - mean) / std)[:, 0])
    torch.testing.assert_close(model(patches), expected[:, 0])
    assert parameters_of(model) == parameters_of(vit) + model.width + 1


@torch.no_grad()
@pytest.mark.parametrize(("depth", "blocks"), [(None, [1, 2, 4, 5]), (4, [0, 1, 2, 3]), (2, [0, 0, 1, 1])])
def test_maps_are_patch_tokens_of_evenly_spaced_blocks(patches, depth, blocks):
    model = tiny_student(head="linear", depth=depth).eval()
    maps = model.tokens_and_maps(patches)[1]
    vit = timm.create_model("test_vit", img_size=SIZE, num_classes=0).eval()
    vit.blocks = vit.blocks[:depth]
    vit.load_state_dict(model.vit.state_dict())
    expected = vit.forward_intermediates((patches - 0.5) / 0.5, intermediates_only=True)
    for stage, block in zip(maps, blocks, strict=True):
        torch.testing.assert_close(stage, expected[block])


@torch.no_grad()
@pytest.mark.parametrize(
    ("name", "size", "cells"),
    [
        ("deit3_small_patch16_224", 96, 6),
        ("deit_tiny_distilled_patch16_224", 64, 4),
        ("vit_small_patch14_reg4_dinov2", 70, 5),
        ("vit_tiny_patch16_224", 224, 14),
    ],
)
def test_any_vision_transformer_with_class_token_is_accepted(name, size, cells):
    model = tiny_student(backbone=name, size=size, depth=1, decoder_heads=6).eval()
    scores, maps = model.tokens_and_maps(torch.rand(2, 3, size, size))
    assert scores.shape == (2, 3)
    assert [stage.shape for stage in maps] == [(2, model.width, cells, cells)] * 4


@torch.no_grad()
def test_scores_do_not_depend_on_the_batch_in_eval_mode(patches):
    model = tiny_student().eval()
    torch.testing.assert_close(model(patches)[1:3], model(patches[1:3]))


@torch.no_grad()
def test_packaged_stem_gives_8_by_8_cells_for_128_pixels(student_with_stem):
    scores, maps = student_with_stem.tokens_and_maps(torch.rand(2, 3, 128, 128))
    assert scores.shape == (2, 3)
    assert [stage.shape for stage in maps] == [(2, 192, 8, 8)] * 4


def test_packaged_stem_has_pretrained_weights_and_no_deeper_stage(student_with_stem):
    state, packaged = student_with_stem.backbone.network.state_dict(), load_packaged_lite0().state_dict()
    assert all(torch.equal(tensor, packaged[key]) for key, tensor in state.items())
    assert {key.split(".")[1] for key in state if key.startswith("blocks.")} == set("01234")
    assert parameters_of(student_with_stem.backbone) < 0.25 * sum(tensor.numel() for tensor in packaged.values())


def test_stem_and_its_batch_normalisation_are_trained():
    model = tiny_student(**WITH_STEM).train()
    assert all(module.training for module in model.modules())
    before = model.backbone.network.bn1.running_mean.clone()
    model(torch.rand(4, 3, 128, 128)).sum().backward()
    assert not torch.equal(model.backbone.network.bn1.running_mean, before)
    assert all(parameter.grad is not None for parameter in model.backbone.parameters())


def test_backbone_is_the_stem_or_else_the_vision_transformer(student_with_stem):
    plain = tiny_student()
    assert plain.backbone is plain.vit
    inside = {id(parameter) for parameter in student_with_stem.backbone.parameters()}
    names = {name for name, parameter in student_with_stem.named_parameters() if id(parameter) in inside}
    assert names == {
        name for name, _ in student_with_stem.named_parameters() if name.startswith("vit.patch_embed.backbone.")
    }


@torch.no_grad()
@pytest.mark.parametrize(
    ("settings", "mean", "std"),
    [
        ({"backbone": "deit3_small_patch16_224"}, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ({"stem": "resnet18"}, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ({"backbone": "deit3_small_patch16_224", "stem": "tf_efficientnet_lite0"}, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    ],
)
def test_pixels_are_normalised_for_stem_or_vision_transformer(settings, mean, std):
    model, seen = tiny_student(depth=1, **settings), []
    model.vit.patch_embed.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    model.eval()(torch.ones(1, 3, SIZE, SIZE))
    expected = [(1 - centre) / spread for centre, spread in zip(mean, std, strict=True)]
    assert seen[0][0, :, 0, 0].tolist() == pytest.approx(expected, rel=1e-5)


@torch.no_grad()
def test_state_dict_restores_the_student(patches):
    model = tiny_student(stem="test_resnet").eval()
    torch.manual_seed(9)
    again = create_model("rkiqt", backbone="test_vit", size=SIZE, depth=3, decoder_heads=4, stem="test_resnet").eval()
    assert not torch.equal(again(patches), model(patches))
    again.load_state_dict(model.state_dict())
    assert torch.equal(again(patches), model(patches))


def test_bfloat16_gradients_are_finite(patches):
    model = tiny_student(stem="test_resnet", decoder_depth=2)
    with torch.autocast("cpu", torch.bfloat16):
        total = model(patches).square().sum()
    total.backward()
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters())


def test_decoder_layers_have_different_initial_weights():
    first, second = tiny_student(decoder_depth=2).decoder.layers
    assert not torch.equal(first.linear1.weight, second.linear1.weight)


def test_patches_of_other_size_are_refused():
    with pytest.raises(InputError, match=r"96 x 64.* 64"):
        tiny_student()(torch.rand(1, 3, 64, 96))


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"backbone": "deit3_smal_patch16_224"}, "'deit3_small_patch16_224"),
        ({"backbone": "resnet18"}, "backbone resnet18: "),
        ({"backbone": "eva02_tiny_patch14_224", "size": 70}, "eva02_tiny_patch14_224: .*class token"),
        ({"backbone": "test_vit3"}, "test_vit3: .*class token"),
        ({"size": 72}, "72.* 16 "),
        ({"weights": "packaged"}, "test_vit: .*packaged .* tf_efficientnet_lite0"),
        ({"depth": 0}, "rkiqt.depth: "),
        ({"depth": 7}, "depth 7.* 6 "),
        ({"head": "mlp"}, "rkiqt.head: .*'mlp'"),
        ({"tokens": ("conv", "inv")}, "rkiqt: tokens"),
        ({"tokens": ("cls", "rnn")}, "rkiqt.tokens.1: .*'rnn'"),
        ({"tokens": ("cls", "inv", "inv")}, "rkiqt: tokens"),
        ({"tokens": ()}, "rkiqt: tokens"),
        ({"decoder_depth": 0}, "rkiqt.decoder_depth: "),
        ({"decoder_heads": 6}, "decoder_heads 6.* width 64"),
        ({"stem": "resnet17"}, "'resnet1"),
        ({"stem": "resnet18", "stem_weights": "packaged"}, "stem_weights.* tf_efficientnet_lite0"),
        ({"stem": "resnet18", "stem_weights": "imagenet"}, "stem_weights: .*'imagenet'"),
        ({"stem": "resnet18", "backbone": "vit_small_patch14_dinov2", "size": 70}, "resnet18.* 14 "),
    ],
)
def test_invalid_settings_are_refused(settings, match):
    with pytest.raises(InputError, match=match):
        tiny_student(**settings)
