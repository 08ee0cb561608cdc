from collections.abc import Mapping
from typing import ClassVar

import pytest
import torch
from torch import nn

from iqadistill.errors import InputError
from iqadistill.models.settings import DeepStudentSettings
from iqadistill.models.teachers.nar_teacher import NarTeacherSettings
from iqadistill.models.teachers.regressor import RegressorSettings
from iqadistill.training.deep.distillation import with_teachers
from iqadistill.training.deep.weights import save_network
from iqadistill.training.sidecar import Sidecar

SMALL = {"backbone": "test_resnet", "weights": "none"}
REGRESSOR = RegressorSettings(**SMALL)
NAR = NarTeacherSettings(**SMALL, cells=2, width=4, mixer_width=8, difference_depth=1, image_depth=1)


class Pair(nn.Module):
    """A student and its teachers."""

    def __init__(self, student, teachers, pool):
        super().__init__()
        self.student, self.teachers, self.pool = student, teachers, pool


class PupilSettings(DeepStudentSettings):
    """A student that no registry lists."""

    teacher_models: ClassVar[Mapping[str, str]] = {"guide": "regressor"}

    def distilled(self, network, teachers, pool):
        """The student and its teachers; the student alone without any."""
        return Pair(network, teachers, pool) if teachers else network


def combine(folder, settings=None, **arguments):
    """The module that is trained, with a teacher of the given settings."""
    teachers, files = {}, []
    if settings:
        torch.manual_seed(1)
        network = settings.create_network(32)
        save_network(network, folder / "0.safetensors")
        facts = {"kind": "teacher", "variant": {}, "sampler": {}, "size": 32, "seed": 0}
        written = settings.model_copy(update={"weights": "hub"}).model_dump(mode="json")
        Sidecar.record([], settings=written, **facts).write(folder / "0.json")
        teachers, files = {"guide": "named"}, [folder / "0.safetensors"]
    sidecars = [file.with_suffix(".json") for file in files]
    given = {"reference_patches": 0, "size": 32, "split": 0, "seed": 0}
    student = nn.Linear(2, 1)
    trained = with_teachers(student, PupilSettings(model="pupil"), teachers, files, sidecars, [], **given)
    return student, trained


def test_a_student_without_teachers_is_trained_alone(tmp_path):
    student, trained = combine(tmp_path)
    assert trained is student


def test_trained_teachers_are_handed_to_the_students_settings(tmp_path):
    student, trained = combine(tmp_path, REGRESSOR)
    torch.manual_seed(1)
    expected = REGRESSOR.create_network(32).state_dict()
    assert trained.student is student and trained.pool is None and list(trained.teachers) == ["guide"]
    torch.testing.assert_close(trained.teachers["guide"].state_dict(), expected, rtol=0, atol=0)


def test_a_teacher_of_another_model_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"teachers\.named: model 'nar_teacher'"):
        combine(tmp_path, NAR)
