"""Networks, counted without their weights."""

from iqadistill.models.registry import TEACHERS
from iqadistill.pricing.networks import count_backbone, count_encoder, count_network
from iqadistill.training.deep.cost import forward_cost


def test_networks_are_counted_as_they_are_after_training(plan):
    for settings in (plan.study.deep_students["adtrs"], plan.study.deep_students["rkiqt"], plan.study.teachers["cnn"]):
        counted, cost = count_network(settings, 64), forward_cost(settings.create_network(64), 64)
        assert (counted.parameters, counted.flops) == (cost.parameters, cost.flops)
        assert counted.activations > 0
    settings = plan.study.encoders["tiny"]
    assert count_encoder(settings, 64).width == settings.create("cpu").width


def test_no_gradient_passes_through_a_frozen_backbone():
    nar = {"model": "nar_teacher", "backbone": "test_resnet", "weights": "none"}
    frozen, free = (TEACHERS.create({**nar, "freeze_backbone": choice}) for choice in (True, False))
    counted = count_network(frozen, 64)
    assert counted.frozen_flops == 2 * count_backbone(frozen, 64)  # of the patch and of its reference
    assert counted.training_flops == 3 * counted.flops - 2 * counted.frozen_flops
    assert count_network(free, 64).training_flops == 3 * counted.flops
