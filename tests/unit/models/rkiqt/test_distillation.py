import copy

import pytest
import torch
from tiny_distillation import TEACHERS, distorted, tiny_distillation, tiny_student, tiny_teachers
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.flop_counter import FlopCounterMode

from iqadistill.errors import InputError
from iqadistill.models import STUDENTS

PARTS = {"nar": "mcd", "conv": "conv", "inv": "inv"}


@pytest.fixture(scope="module")
def batch():
    return distorted(5)


@pytest.fixture(scope="module")
def full():
    return tiny_distillation(*TEACHERS)


def seeded(model, batch, seed=3):
    torch.manual_seed(seed)
    return model.losses(*batch)


def tensors_of(teachers):
    modules = [teachers.nar, teachers.pool, *teachers.regressors.values()]
    return [tensor for module in modules for tensor in (*module.parameters(), *module.buffers())]


def flops(network, patches):
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(patches)
    return counter.get_total_flops()


@torch.no_grad()
def test_scoring_runs_the_student_alone(full, batch):
    patches, (student, used) = batch[0], (tiny_student(), [])
    student.load_state_dict(full.student.state_dict())
    handles = [module.register_forward_hook(lambda module, *_: used.append(module)) for module in full.modules()]
    try:
        scores = full.eval()(patches)
    finally:
        [handle.remove() for handle in handles]
    assert torch.equal(scores, student.eval()(patches))
    assert flops(full, patches) == flops(student, patches) > 1e6
    assert {module for module in used if module is not full} <= set(full.student.modules())
    sizes = [sum(parameter.numel() for parameter in network.parameters()) for network in (full.student, student)]
    assert sizes[0] == sizes[1]
    full.train()


def test_teachers_are_neither_parameters_nor_saved(full):
    pointers = {tensor.data_ptr() for tensor in (*full.parameters(), *full.buffers(), *full.state_dict().values())}
    assert not pointers & {tensor.data_ptr() for tensor in tensors_of(full._teachers) if tensor.numel()}
    assert {name.split(".")[0] for name in full.state_dict()} == {"student", "mcd_loss", "inductive_losses"}


@pytest.mark.parametrize("teachers", [(), ("nar",), ("conv",), ("inv",), ("conv", "inv"), TEACHERS])
def test_there_is_a_part_for_each_teacher(teachers, batch):
    parts = seeded(tiny_distillation(*teachers), batch)
    assert set(parts) == {"quality", *(PARTS[name] for name in teachers)}
    assert all(part.isfinite() and part > 0 for part in parts.values())


@pytest.mark.parametrize(
    ("weight", "names"), [("mcd_weight", {"mcd"}), ("inductive_weight", {"conv", "inv"})], ids=["mcd", "inductive"]
)
def test_parts_scale_with_their_weights(weight, names, batch):
    parts = seeded(tiny_distillation(*TEACHERS), batch)
    heavier = seeded(tiny_distillation(*TEACHERS, **{weight: 1.5}), batch)
    assert {name for name in parts if heavier[name] != parts[name]} == names
    for name in names:
        torch.testing.assert_close(heavier[name], 3 * parts[name])


@torch.no_grad()
def test_parts_are_the_weighted_losses_of_scores_and_features(batch):
    patches, quality = batch
    model = tiny_distillation(*TEACHERS, mcd_weight=0.3, inductive_weight=0.7).eval()
    parts = seeded(model, batch)
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
    parts, scores = seeded(model, batch), model.student.tokens_and_maps(patches)[0]
    for index, token in enumerate(("conv", "inv"), 1):
        teacher_scores = model._teachers.regressors[token](patches)
        torch.testing.assert_close(parts[token], 0.5 * (scores[:, index] - teacher_scores).abs().mean())


def test_gradient_reaches_all_trained_parameters_and_no_teacher(batch):
    model = tiny_distillation(*TEACHERS).train()
    before = [tensor.clone() for tensor in tensors_of(model._teachers)]
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1)
    sum(seeded(model, batch).values()).backward()
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
        differences, _ = model._teachers.teach(patches)
        torch.manual_seed(seed)
        for pair in zip(differences, differences_without_a_cache(model, patches), strict=True):
            torch.testing.assert_close(*pair)


def test_teachers_process_a_reference_or_patch_once_and_the_losses_stay_the_same(batch):
    patches, quality = batch
    views = [(patches, quality), (patches.flip(-1), quality), (patches[[4, 2]], quality[[4, 2]]), (patches, quality)]
    losses, processed = {}, {}
    for memory_gb in (1.0, 0.0):
        model, seen = tiny_distillation(*TEACHERS, memory_gb=memory_gb), []
        teachers = (model._teachers.nar, *model._teachers.regressors.values())
        for teacher in teachers:
            teacher.backbone.register_forward_pre_hook(lambda _, inputs, seen=seen: seen.append(len(inputs[0])))
        parts = [seeded(model, view) for view in views]
        losses[memory_gb] = [part.item() for view in parts for part in view.values()]
        processed[memory_gb] = sum(seen) - len(model._teachers.pool)
    assert losses[1.0] == pytest.approx(losses[0.0], rel=1e-5)
    assert processed == {1.0: 3 * (8 + 8), 0.0: 3 * (8 + 8 + 4 + 8)}  # in groups of four


def test_losses_follow_the_seed(full, batch):
    first = seeded(full, batch)
    assert {name: part.item() for name, part in seeded(full, batch).items()} == {
        name: part.item() for name, part in first.items()
    }
    assert seeded(full, batch, seed=4)["mcd"] != first["mcd"]


def test_teachers_follow_the_students_type_and_device(batch):
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


def test_a_moving_average_covers_the_trained_parameters_and_no_teacher(batch):
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
    ("settings", "sentence"),
    [
        ({"mcd_weight": 0.0}, "rkiqt.mcd_weight: "),
        ({"mask_ratio": 1.0}, "rkiqt.mask_ratio: "),
        ({"masking": "gauss"}, "rkiqt.masking: .*'gauss'"),
        ({"generator": (4,)}, "rkiqt.generator.0: "),
        ({"generator": (3, 3, 3, 3)}, "rkiqt.generator: "),
    ],
)
def test_settings_out_of_range_are_named(settings, sentence):
    with pytest.raises(InputError, match=sentence):
        tiny_distillation(**settings)


def test_a_nar_teacher_needs_a_pool():
    with pytest.raises(InputError, match="has no pool"):
        STUDENTS.create({"model": "rkiqt"}).distilled(tiny_student(), tiny_teachers("nar"), None)


@pytest.mark.parametrize(("role", "settings"), [("inv", {"tokens": ("cls", "conv")}), ("conv", {"head": "linear"})])
def test_a_teacher_without_its_token_is_named(role, settings):
    with pytest.raises(InputError, match=f"token {role}"):
        tiny_distillation(role, student=tiny_student(**settings))
    entry = STUDENTS.create({"model": "rkiqt", role: "teacher", **settings})
    with pytest.raises(InputError, match=f"students.taught.{role}: .* no {role} token"):
        entry.check_teachers("students.taught")
