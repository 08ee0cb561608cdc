import copy

import pytest
import torch
from tiny_distillation import TEACHERS, pictures, tiny_distillation, tiny_student, tiny_teachers
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.flop_counter import FlopCounterMode

from iqadistill.errors import InputError
from iqadistill.models.rkiqt.distillation import RKIQTDistillation
from iqadistill.models.students.rkiqt import RkiqtSettings

PARTS = {"nar": "mcd", "conv": "conv", "inv": "inv"}


@pytest.fixture(scope="module")
def batch():
    return pictures(5)


@pytest.fixture(scope="module")
def full():
    return tiny_distillation(*TEACHERS)


def seeded(model, batch, seed=3):
    torch.manual_seed(seed)
    return model.losses(*batch)


def tensors_of(given):
    modules = [given.nar, given.pool, *given.regressors.values()]
    return [tensor for module in modules for tensor in (*module.parameters(), *module.buffers())]


def flops(network, patches):
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(patches)
    return counter.get_total_flops()


@torch.no_grad()
def test_scoring_takes_the_student_alone(full, batch):
    patches, (student, used) = batch[0], (tiny_student(), [])
    student.load_state_dict(full.student.state_dict())
    handles = [module.register_forward_hook(lambda found, *_: used.append(found)) for module in full.modules()]
    try:
        scores = full.eval()(patches)
    finally:
        [handle.remove() for handle in handles]
    assert torch.equal(scores, student.eval()(patches))
    assert flops(full, patches) == flops(student, patches) > 1e6
    of_student = set(full.student.modules())
    assert {module for module in used if module is not full} <= of_student
    sizes = [sum(parameter.numel() for parameter in network.parameters()) for network in (full.student, student)]
    assert sizes[0] == sizes[1]
    full.train()


def test_teachers_are_neither_parameters_nor_saved(full):
    own = {tensor.data_ptr() for tensor in (*full.parameters(), *full.buffers(), *full.state_dict().values())}
    assert not own & {tensor.data_ptr() for tensor in tensors_of(full._teachers) if tensor.numel()}
    assert {name.split(".")[0] for name in full.state_dict()} == {"student", "mcd_loss", "inductive_losses"}


@pytest.mark.parametrize("teachers", [(), ("nar",), ("conv",), ("inv",), ("conv", "inv"), TEACHERS])
def test_there_is_a_part_for_each_teacher(teachers, batch):
    parts = seeded(tiny_distillation(*teachers), batch)
    assert set(parts) == {"quality", *(PARTS[name] for name in teachers)}
    assert all(part.isfinite() and part > 0 for part in parts.values())


@pytest.mark.parametrize(
    ("weight", "own"), [("mcd_weight", {"mcd"}), ("inductive_weight", {"conv", "inv"})], ids=["mcd", "inductive"]
)
def test_parts_answer_to_their_weights(weight, own, batch):
    found = seeded(tiny_distillation(*TEACHERS), batch)
    heavier = seeded(tiny_distillation(*TEACHERS, **{weight: 1.5}), batch)
    assert {name for name in found if heavier[name] != found[name]} == own
    for name in own:
        torch.testing.assert_close(heavier[name], 3 * found[name])


@torch.no_grad()
def test_parts_are_the_weighted_losses_of_scores_and_features(batch):
    patches, quality = batch
    model = tiny_distillation(*TEACHERS, mcd_weight=0.3, inductive_weight=0.7).eval()
    found = seeded(model, batch)
    scores, maps = model.student.tokens_and_maps(patches)
    torch.testing.assert_close(found["quality"], (scores.mean(1) - quality).abs().mean())
    for place, token in enumerate(("conv", "inv"), 1):
        teacher = model._teachers.regressors[token]
        teacher_scores, features = teacher.middle(patches)
        between = model.inductive_losses[token].intermediate(features)
        expected = (between - teacher_scores).abs().mean() + (between - scores[:, place]).abs().mean()
        torch.testing.assert_close(found[token], 0.7 * expected)
    torch.manual_seed(3)
    expected = 0.3 * model.mcd_loss(maps, differences_without_a_cache(model, patches))
    torch.testing.assert_close(found["mcd"], expected)


@torch.no_grad()
def test_direct_distillation_compares_scores_and_aligned_features(batch):
    patches, _ = batch
    model = tiny_distillation(*TEACHERS, reverse=False, masking="none", generator=())
    assert {name.split(".")[1] for name in model.state_dict() if name.startswith("mcd_loss")} == {"alignments"}
    assert not len(model.inductive_losses)
    found, scores = seeded(model, batch), model.student.tokens_and_maps(patches)[0]
    for place, token in enumerate(("conv", "inv"), 1):
        taught = model._teachers.regressors[token](patches)
        torch.testing.assert_close(found[token], 0.5 * (scores[:, place] - taught).abs().mean())


def test_gradient_reaches_all_that_is_learnt_and_no_teacher(batch):
    model = tiny_distillation(*TEACHERS).train()
    before = [tensor.clone() for tensor in tensors_of(model._teachers)]
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1)
    sum(seeded(model, batch).values()).backward()
    without = [name for name, parameter in model.named_parameters() if not parameter.grad.abs().sum() > 0]
    assert not without
    learnt = {name.split(".")[0] for name, _ in model.mcd_loss.named_parameters()}
    assert learnt == {"alignments", "generators"}
    optimiser.step()
    after = tensors_of(model._teachers)
    assert all(torch.equal(*pair) for pair in zip(before, after, strict=True))
    assert not any(tensor.requires_grad or tensor.grad is not None for tensor in after)
    assert not any(module.training for module in (model._teachers.nar, *model._teachers.regressors.values()))


@pytest.mark.parametrize(
    ("teacher", "reached"), [("nar", {"vit", "added"}), ("conv", {"vit", "added", "decoder", "heads"})]
)
def test_each_part_alone_teaches_the_student(teacher, reached, batch):
    model = tiny_distillation(teacher)
    seeded(model, batch)[PARTS[teacher]].backward()
    gradients = {name: parameter.grad for name, parameter in model.student.named_parameters()}
    with_gradient = {name for name, gradient in gradients.items() if gradient is not None and gradient.abs().sum() > 0}
    assert {name.split(".")[0] for name in with_gradient} == reached
    assert {name for name in with_gradient if name.startswith("heads")} == (
        {"heads.conv.weight", "heads.conv.bias"} if teacher == "conv" else set()
    )


def differences_without_a_cache(model, patches):
    nar, pool = model._teachers.nar, model._teachers.pool
    pristine = nar.project(pool.pixels(pool.draw(len(patches))))
    return [high - low for high, low in zip(pristine, nar.project(patches), strict=True)]


@torch.no_grad()
def test_differences_are_those_of_new_references_each_time(batch):
    patches, model = batch[0], tiny_distillation("nar")
    for seed in (4, 5, 6):
        torch.manual_seed(seed)
        found, _ = model._teachers.teach(patches)
        torch.manual_seed(seed)
        for own, other in zip(found, differences_without_a_cache(model, patches), strict=True):
            torch.testing.assert_close(own, other)


def test_teachers_see_a_reference_or_patch_once_and_the_losses_stay_the_same(batch):
    patches, quality = batch
    views = [(patches, quality), (patches.flip(-1), quality), (patches[[4, 2]], quality[[4, 2]]), (patches, quality)]
    found, shown = {}, {}
    for memory_gb in (1.0, 0.0):
        model, seen = tiny_distillation(*TEACHERS, memory_gb=memory_gb), []
        teachers = (model._teachers.nar, *model._teachers.regressors.values())
        for teacher in teachers:
            teacher.backbone.register_forward_pre_hook(lambda _, inputs, seen=seen: seen.append(len(inputs[0])))
        parts = [seeded(model, view) for view in views]
        found[memory_gb] = [part.item() for own in parts for part in own.values()]
        shown[memory_gb] = sum(seen) - len(model._teachers.pool)
    assert found[1.0] == found[0.0]
    assert shown == {1.0: 3 * (8 + 8), 0.0: 3 * (8 + 8 + 4 + 8)}  # in groups of four


def test_losses_follow_the_seed(full, batch):
    first = seeded(full, batch)
    assert {name: part.item() for name, part in seeded(full, batch).items()} == {
        name: part.item() for name, part in first.items()
    }
    assert seeded(full, batch, seed=4)["mcd"] != first["mcd"]


def test_teachers_go_where_the_student_goes(batch):
    model = tiny_distillation(*TEACHERS)
    single = seeded(model, batch)
    model.double()
    assert {tensor.dtype for tensor in tensors_of(model._teachers) if tensor.is_floating_point()} == {torch.float64}
    double = seeded(model, [tensor.double() for tensor in batch])
    torch.testing.assert_close(
        torch.stack(list(double.values())), torch.stack(list(single.values())).double(), atol=1e-3, rtol=1e-3
    )


def test_a_copy_shares_the_teachers(full):
    twin = copy.deepcopy(full)
    assert twin._teachers is full._teachers
    assert twin.student is not full.student


def test_a_moving_average_is_of_what_is_learnt_and_of_no_teacher(batch):
    model = tiny_distillation(*TEACHERS)
    average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.75))
    average.update_parameters(model)
    before = model.student.heads["cls"].weight.detach().clone()
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1)
    sum(seeded(model, batch).values()).backward()
    optimiser.step()
    average.update_parameters(model)
    after = model.student.heads["cls"].weight.detach()
    assert not torch.equal(before, after)
    torch.testing.assert_close(average.module.student.heads["cls"].weight, 0.75 * before + 0.25 * after)
    assert average.module._teachers is model._teachers


def test_trains_in_bfloat16(batch):
    model = tiny_distillation(*TEACHERS)
    with torch.autocast("cpu", torch.bfloat16):
        total = sum(seeded(model, batch).values())
    total.backward()
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters())


def test_a_plain_vision_transformer_can_learn_from_the_nar_teacher(batch):
    assert set(seeded(tiny_distillation("nar", student=tiny_student(head="linear")), batch)) == {"quality", "mcd"}


def test_the_backbone_is_the_students():
    model = tiny_distillation(student=tiny_student(stem="test_resnet"))
    assert model.backbone is model.student.vit.patch_embed.backbone


@pytest.mark.parametrize(
    ("teachers", "settings", "sentence"),
    [
        (TEACHERS, {"mcd_weight": -0.1}, "mcd_weight.*-0.1"),
        (TEACHERS, {"pool": None}, "has no pool"),
        (("nar",), {"mask_ratio": 1.0}, "mask_ratio.*1.0"),
        (("nar",), {"masking": "gauss"}, "masking.*'gauss'"),
        (("nar",), {"generator": (4,)}, "generator"),
        (("inv",), {"tokens": ("cls", "conv")}, "a teacher for the token inv"),
        (("conv",), {"head": "linear"}, "a teacher for the token conv"),
    ],
)
def test_settings_out_of_range_are_named(teachers, settings, sentence):
    of_student = {key: settings[key] for key in ("tokens", "head") if key in settings}
    others = {key: value for key, value in settings.items() if key not in of_student}
    with pytest.raises(InputError, match=sentence):
        given = {**tiny_teachers(*teachers), **{key: others.pop(key) for key in ("pool",) if key in others}}
        pool = given.pop("pool", None)
        settings = RkiqtSettings.of(others, "rkiqt")
        RKIQTDistillation(tiny_student(**of_student), settings, given, pool)
