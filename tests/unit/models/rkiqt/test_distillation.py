import copy

import pytest
import torch
from tiny_distillation import TEACHERS, distorted, tiny_distillation, tiny_student, tiny_teachers
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.flop_counter import FlopCounterMode

from iqadistill.errors import InputError
from iqadistill.models import STUDENTS

LOSSES = {"nar": "mcd", "conv": "conv", "inv": "inv"}


@pytest.fixture(scope="module")
def batch():
    return distorted(5)


@pytest.fixture(scope="module")
def distillation():
    return tiny_distillation(*TEACHERS)


def seeded_losses(model, batch, seed=3):
    torch.manual_seed(seed)
    return model.losses(*batch)


def tensors_of(teachers):
    """Parameters and buffers of all teachers and of the reference pool."""
    modules = [teachers.nar, teachers.pool, *teachers.regressors.values()]
    return [tensor for module in modules for tensor in (*module.parameters(), *module.buffers())]


def flops(network, patches):
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(patches)
    return counter.get_total_flops()


@torch.no_grad()
def test_prediction_runs_the_student_only(distillation, batch):
    patches, (student, used) = batch[0], (tiny_student(), [])
    student.load_state_dict(distillation.student.state_dict())
    handles = [
        module.register_forward_hook(lambda module, *_: used.append(module)) for module in distillation.modules()
    ]
    try:
        scores = distillation.eval()(patches)
    finally:
        [handle.remove() for handle in handles]
    assert torch.equal(scores, student.eval()(patches))
    assert flops(distillation, patches) == flops(student, patches) > 1e6
    assert {module for module in used if module is not distillation} <= set(distillation.student.modules())
    sizes = [
        sum(parameter.numel() for parameter in network.parameters()) for network in (distillation.student, student)
    ]
    assert sizes[0] == sizes[1]
    distillation.train()


def test_teachers_are_not_in_parameters_or_state_dict(distillation):
    pointers = {
        tensor.data_ptr()
        for tensor in (*distillation.parameters(), *distillation.buffers(), *distillation.state_dict().values())
    }
    assert not pointers & {tensor.data_ptr() for tensor in tensors_of(distillation._teachers) if tensor.numel()}
    assert {name.split(".")[0] for name in distillation.state_dict()} == {"student", "mcd_loss", "inductive_losses"}


@pytest.mark.parametrize("teachers", [(), ("nar",), ("conv",), ("inv",), ("conv", "inv"), TEACHERS])
def test_each_teacher_has_a_loss(teachers, batch):
    parts = seeded_losses(tiny_distillation(*teachers), batch)
    assert set(parts) == {"quality", *(LOSSES[name] for name in teachers)}
    assert all(part.isfinite() and part > 0 for part in parts.values())


@pytest.mark.parametrize(
    ("weight", "names"), [("mcd_weight", {"mcd"}), ("inductive_weight", {"conv", "inv"})], ids=["mcd", "inductive"]
)
def test_losses_scale_with_their_weights(weight, names, batch):
    parts = seeded_losses(tiny_distillation(*TEACHERS, **{weight: 0.5}), batch)
    heavier = seeded_losses(tiny_distillation(*TEACHERS, **{weight: 1.5}), batch)
    assert {name for name in parts if heavier[name] != parts[name]} == names
    for name in names:
        torch.testing.assert_close(heavier[name], 3 * parts[name])


@torch.no_grad()
def test_losses_are_computed_from_scores_and_features(batch):
    patches, quality = batch
    model = tiny_distillation(*TEACHERS, mcd_weight=0.3, inductive_weight=0.7).eval()
    parts = seeded_losses(model, batch)
    scores, maps = model.student.tokens_and_maps(patches)
    torch.testing.assert_close(parts["quality"], (scores.mean(1) - quality).abs().mean())
    for index, token in enumerate(("conv", "inv"), 1):
        teacher = model._teachers.regressors[token]
        teacher_scores, features = teacher.middle(patches)
        intermediate = model.inductive_losses[token].intermediate(features)
        distances = (intermediate - teacher_scores).abs() + (intermediate - scores[:, index]).abs()
        expected = distances.mean()
        torch.testing.assert_close(parts[token], 0.7 * expected)
    torch.manual_seed(3)
    expected = 0.3 * model.mcd_loss(maps, differences_without_a_cache(model, patches))
    torch.testing.assert_close(parts["mcd"], expected)


@torch.no_grad()
def test_direct_distillation_compares_scores_and_aligned_features(batch):
    patches, _ = batch
    model = tiny_distillation(*TEACHERS, reverse=False, masking="none", generator=())
    assert {name.split(".")[1] for name in model.state_dict() if name.startswith("mcd_loss")} == {"alignments"}
    assert not len(model.inductive_losses)
    parts, scores = seeded_losses(model, batch), model.student.tokens_and_maps(patches)[0]
    for index, token in enumerate(("conv", "inv"), 1):
        teacher_scores = model._teachers.regressors[token](patches)
        torch.testing.assert_close(parts[token], 0.5 * (scores[:, index] - teacher_scores).abs().mean())


def test_gradient_reaches_all_parameters_but_no_teacher(batch):
    model = tiny_distillation(*TEACHERS).train()
    before = [tensor.clone() for tensor in tensors_of(model._teachers)]
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1)
    sum(seeded_losses(model, batch).values()).backward()
    without = [name for name, parameter in model.named_parameters() if not parameter.grad.abs().sum() > 0]
    assert not without
    trained = {name.split(".")[0] for name, _ in model.mcd_loss.named_parameters()}
    assert trained == {"alignments", "generators"}
    optimiser.step()
    after = tensors_of(model._teachers)
    assert all(torch.equal(*pair) for pair in zip(before, after, strict=True))
    assert not any(tensor.requires_grad or tensor.grad is not None for tensor in after)
    assert not any(module.training for module in (model._teachers.nar, *model._teachers.regressors.values()))


@pytest.mark.parametrize(
    ("teacher", "reached"), [("nar", {"vit", "added"}), ("conv", {"vit", "added", "decoder", "heads"})]
)
def test_each_loss_alone_trains_the_student(teacher, reached, batch):
    model = tiny_distillation(teacher)
    seeded_losses(model, batch)[LOSSES[teacher]].backward()
    gradients = {name: parameter.grad for name, parameter in model.student.named_parameters()}
    with_gradient = {name for name, gradient in gradients.items() if gradient is not None and gradient.abs().sum() > 0}
    assert {name.split(".")[0] for name in with_gradient} == reached
    assert {name for name in with_gradient if name.startswith("heads")} == (
        {"heads.conv.weight", "heads.conv.bias"} if teacher == "conv" else set()
    )


def differences_without_a_cache(model, patches):
    """Feature differences of newly drawn references and the patches in their units, computed without the cache."""
    nar, pool = model._teachers.nar, model._teachers.pool
    references = nar.project(pool.pixels(torch.arange(len(pool))))
    drawn = pool.draw(len(patches))
    units = [(2 * stage.var((0, 2, 3), correction=0).mean()).sqrt() for stage in references]
    pairs = zip(references, nar.project(patches), units, strict=True)
    return [(high[drawn] - low) / unit for high, low, unit in pairs]


@torch.no_grad()
def test_differences_use_newly_drawn_references(batch):
    patches, model = batch[0], tiny_distillation("nar")
    for seed in (4, 5, 6):
        torch.manual_seed(seed)
        differences, _ = model._teachers.teach(patches)
        torch.manual_seed(seed)
        for pair in zip(differences, differences_without_a_cache(model, patches), strict=True):
            torch.testing.assert_close(*pair)


@torch.no_grad()
def test_differences_are_of_the_size_of_one(batch):
    for stage in tiny_distillation("nar")._teachers.teach(batch[0])[0]:
        assert 0.5 < stage.square().mean() < 2


def test_loss_does_not_depend_on_the_scale_of_the_teachers_features(batch):
    losses, gradients = [], []
    for scale in (1, 100):
        model = tiny_distillation("nar")
        with torch.no_grad():
            for parameter in model._teachers.nar.projections.parameters():
                parameter.mul_(scale)
        losses.append(seeded_losses(model, batch)["mcd"])
        losses[-1].backward()
        gradients.append([parameter.grad for parameter in model.mcd_loss.parameters()])
    torch.testing.assert_close(*losses)
    for pair in zip(*gradients, strict=True):
        torch.testing.assert_close(*pair)


def test_pristine_patches_without_differences_are_refused(batch):
    model = tiny_distillation("nar")
    for parameter in model._teachers.nar.projections.parameters():
        parameter.data.zero_()
    with pytest.raises(InputError, match="pristine patches are all equal"):
        model.losses(*batch)


def test_cached_teachers_process_each_patch_once(batch):
    patches, quality = batch
    views = [(patches, quality), (patches.flip(-1), quality), (patches[[4, 2]], quality[[4, 2]]), (patches, quality)]
    losses, processed = {}, {}
    for memory_gb in (1.0, 0.0):
        model, seen = tiny_distillation(*TEACHERS, teacher_memory_gb=memory_gb, teacher_disk_gb=0), []
        teachers = (model._teachers.nar, *model._teachers.regressors.values())
        for teacher in teachers:
            teacher.backbone.register_forward_pre_hook(lambda _, inputs, seen=seen: seen.append(len(inputs[0])))
        parts = [seeded_losses(model, view) for view in views]
        losses[memory_gb] = [part.item() for view in parts for part in view.values()]
        processed[memory_gb] = sum(seen) - len(model._teachers.pool)
    assert losses[1.0] == pytest.approx(losses[0.0], rel=1e-5)
    assert processed == {1.0: 3 * (8 + 8), 0.0: 3 * (8 + 8 + 4 + 8)}  # in groups of four


def test_losses_depend_on_seed(distillation, batch):
    first = seeded_losses(distillation, batch)
    assert {name: part.item() for name, part in seeded_losses(distillation, batch).items()} == {
        name: part.item() for name, part in first.items()
    }
    assert seeded_losses(distillation, batch, seed=4)["mcd"] != first["mcd"]


def test_teachers_follow_the_dtype_of_the_student(batch):
    model = tiny_distillation(*TEACHERS)
    single = seeded_losses(model, batch)
    model.double()
    assert {tensor.dtype for tensor in tensors_of(model._teachers) if tensor.is_floating_point()} == {torch.float64}
    double = seeded_losses(model, [tensor.double() for tensor in batch])
    torch.testing.assert_close(
        torch.stack(list(double.values())), torch.stack(list(single.values())).double(), atol=1e-3, rtol=1e-3
    )


def test_deep_copy_shares_the_teachers(distillation):
    twin = copy.deepcopy(distillation)
    assert twin._teachers is distillation._teachers
    assert twin.student is not distillation.student


def test_moving_average_covers_student_but_no_teacher(batch):
    model = tiny_distillation(*TEACHERS)
    average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.75))
    average.update_parameters(model)
    before = model.student.heads["cls"].weight.detach().clone()
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1)
    sum(seeded_losses(model, batch).values()).backward()
    optimiser.step()
    average.update_parameters(model)
    after = model.student.heads["cls"].weight.detach()
    assert not torch.equal(before, after)
    torch.testing.assert_close(average.module.student.heads["cls"].weight, 0.75 * before + 0.25 * after)
    assert average.module._teachers is model._teachers


def test_bfloat16_gradients_are_finite(batch):
    model = tiny_distillation(*TEACHERS)
    with torch.autocast("cpu", torch.bfloat16):
        total = sum(seeded_losses(model, batch).values())
    total.backward()
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters())


def test_linear_head_student_can_learn_from_nar_teacher(batch):
    assert set(seeded_losses(tiny_distillation("nar", student=tiny_student(head="linear")), batch)) == {
        "quality",
        "mcd",
    }


def test_backbone_is_that_of_the_student():
    model = tiny_distillation(student=tiny_student(stem="test_resnet"))
    assert model.backbone is model.student.vit.patch_embed.backbone


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"mcd_weight": 0.0}, "rkiqt.mcd_weight: "),
        ({"mask_ratio": 1.0}, "rkiqt.mask_ratio: "),
        ({"masking": "gauss"}, "rkiqt.masking: .*'gauss'"),
        ({"generator": (4,)}, "rkiqt.generator.0: "),
        ({"generator": (3, 3, 3, 3)}, "rkiqt.generator: "),
    ],
)
def test_invalid_settings_are_refused(settings, match):
    with pytest.raises(InputError, match=match):
        tiny_distillation(**settings)


def test_nar_teacher_needs_a_reference_pool():
    with pytest.raises(InputError, match="pool"):
        STUDENTS.create({"model": "rkiqt"}).distilled(tiny_student(), tiny_teachers("nar"), None)


@pytest.mark.parametrize(("role", "settings"), [("inv", {"tokens": ("cls", "conv")}), ("conv", {"head": "linear"})])
def test_teacher_without_its_token_is_refused(role, settings):
    with pytest.raises(InputError, match=f"token {role}"):
        tiny_distillation(role, student=tiny_student(**settings))
    entry = STUDENTS.create({"model": "rkiqt", role: "teacher", **settings})
    with pytest.raises(InputError, match=f"students.distilled.{role}: .*{role} token"):
        entry.check_teachers("students.distilled", {})
