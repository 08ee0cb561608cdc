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


class StudentAndTeachers(nn.Module):
    """A student and its teachers."""

    def __init__(self, student, teachers, pool):
        super().__init__()
        self.student, self.teachers, self.pool = student, teachers, pool


class UnregisteredStudentSettings(DeepStudentSettings):
    """Settings of a student outside the registry."""

    teacher_models: ClassVar[Mapping[str, str]] = {"guide": "regressor"}

    def distilled(self, network, teachers, pool):
        """The student and its teachers; the student alone without any."""
        return StudentAndTeachers(network, teachers, pool) if teachers else network


def student_and_trained_module(folder, settings=None, **arguments):
    """A student and the module that is trained, with a saved teacher of the given settings if any."""
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
    trained = with_teachers(
        student, UnregisteredStudentSettings(model="unregistered"), teachers, files, sidecars, [], **given
    )
    return student, trained


def test_student_without_teachers_is_trained_alone(tmp_path):
    student, trained = student_and_trained_module(tmp_path)
    assert trained is student


def test_trained_teachers_are_loaded_for_the_student(tmp_path):
    student, trained = student_and_trained_module(tmp_path, REGRESSOR)
    torch.manual_seed(1)
    expected = REGRESSOR.create_network(32).state_dict()
    assert trained.student is student and trained.pool is None and list(trained.teachers) == ["guide"]
    torch.testing.assert_close(trained.teachers["guide"].state_dict(), expected, rtol=0, atol=0)


def test_teacher_of_another_model_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"teachers\.named: .*'nar_teacher'"):
        student_and_trained_module(tmp_path, NAR)
