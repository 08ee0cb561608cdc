import pytest
import torch

from iqadistill.losses import MaskedDistillationLoss

WIDTH, CHANNELS, CELLS = 6, (4, 5), 3


def loss(ratio=0.5, masking="random", generator=(3, 3)):
    torch.manual_seed(0)
    return MaskedDistillationLoss(WIDTH, CHANNELS, CELLS, ratio, masking, generator).double()


def student(cells=6, batch=2):
    """Feature maps of a student, one per depth."""
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(batch, WIDTH, cells, cells, generator=generator, dtype=torch.float64) for _ in CHANNELS]


def teacher(batch=2):
    """Feature differences of a teacher, one per depth."""
    generator = torch.Generator().manual_seed(2)
    return [torch.randn(batch, width, CELLS, CELLS, generator=generator, dtype=torch.float64) for width in CHANNELS]


def convolved(maps, layer):
    """Convolution cell by cell, with zero padding."""
    kernel = layer.weight.shape[-1]
    out = torch.zeros(len(maps), layer.weight.shape[0], CELLS, CELLS, dtype=maps.dtype)
    for y in range(CELLS):
        for x in range(CELLS):
            for dy in range(kernel):
                for dx in range(kernel):
                    v, u = y + dy - kernel // 2, x + dx - kernel // 2
                    if 0 <= v < CELLS and 0 <= u < CELLS:
                        out[:, :, y, x] += maps[:, :, v, u] @ layer.weight[:, :, dy, dx].T
    return out + layer.bias[:, None, None]


def reference(model, maps, differences, masks):
    """The equation, written out: aligned first, averaged afterwards."""
    total = 0
    for depth, (student_map, target, mask) in enumerate(zip(maps, differences, masks, strict=True)):
        alignment = model.alignments[depth]
        aligned = (
            torch.einsum("oc,bcyx->boyx", alignment.weight[:, :, 0, 0], student_map) + alignment.bias[:, None, None]
        )
        batch, channels, side, _ = aligned.shape
        generated = aligned.reshape(batch, channels, CELLS, side // CELLS, CELLS, side // CELLS).mean((3, 5)) * mask
        layers = [layer for layer in model.generators[depth] if isinstance(layer, torch.nn.Conv2d)]
        for index, layer in enumerate(layers):
            generated = convolved(generated, layer)
            if index < len(layers) - 1:
                generated = generated.clamp_min(0)
        total = total + ((target - generated) ** 2).sum() / target.numel()
    return total


@torch.no_grad()
@pytest.mark.parametrize("generator", [(), (3,), (5,), (3, 3), (3, 5, 3)])
@pytest.mark.parametrize("ratio", [0.0, 0.6])
def test_loss_follows_the_equation(generator, ratio):
    model = loss(generator=generator, ratio=ratio)
    torch.manual_seed(7)
    value = model(student(), teacher())
    torch.manual_seed(7)
    masks = [(torch.rand(2, 1, CELLS, CELLS) >= ratio).double() for _ in CHANNELS]
    assert ratio == 0 or 0 < masks[0].mean() < 1
    torch.testing.assert_close(value, reference(model, student(), teacher(), masks))


@torch.no_grad()
def test_direct_distillation_is_the_distance_of_aligned_maps():
    model = loss(masking="none", generator=())
    ones = [torch.ones(1, dtype=torch.float64)] * 2
    torch.testing.assert_close(model(student(), teacher()), reference(model, student(), teacher(), ones))
    assert model(student(), teacher()) == model(student(), teacher())


@torch.no_grad()
def test_masked_cells_do_not_change_the_loss():
    model = loss(masking="centre", ratio=1 / CELLS**2, generator=())
    changed = [stage.clone() for stage in student(CELLS)]
    for stage in changed:
        stage[:, :, 1, 1] += 10
    torch.testing.assert_close(model(changed, teacher()), model(student(CELLS), teacher()))
    changed[0][:, :, 0, 0] += 10
    assert model(changed, teacher()) != model(student(CELLS), teacher())


@pytest.mark.parametrize("cells", [2, 3, 4, 8, 14])
def test_student_maps_of_any_size_are_accepted(cells):
    assert loss()(student(cells), teacher()).isfinite()


def test_gradient_reaches_student_and_loss_but_not_teacher():
    model, maps, differences = loss(), student(), teacher()
    for tensor in (*maps, *differences):
        tensor.requires_grad_()
    model(maps, differences).backward()
    assert all(stage.grad.abs().sum() > 0 for stage in maps)
    assert all(target.grad is None for target in differences)
    gradients = {name: parameter.grad.abs().sum().item() for name, parameter in model.named_parameters()}
    assert {name.split(".")[0] for name in gradients} == {"alignments", "generators"}
    assert all(gradient > 0 for gradient in gradients.values())


def test_different_depths_of_student_and_teacher_are_refused():
    with pytest.raises(ValueError, match="zip"):
        loss()(student()[:1], teacher())
