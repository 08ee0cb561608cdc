import subprocess
import sys

import pytest

from iqadistill.errors import InputError
from iqadistill.models.registry import STUDENTS, TARGET, TEACHERS
from iqadistill.models.settings import DeepStudentSettings, weights_files

REGISTERED = [*STUDENTS.items(), *TEACHERS.items()]
NETWORKS = [entry for entry in REGISTERED if entry[0] not in ("mlp", "brisque", "niqe", "external")]


def test_registries_list_all_models():
    assert set(STUDENTS) == {"mlp", "adtrs", "rkiqt", "brisque", "niqe", "external"}
    assert set(TEACHERS) == {"regressor", "nar_teacher"}


@pytest.mark.parametrize(("name", "settings"), REGISTERED)
def test_every_setting_has_a_description(name, settings):
    assert all(field.description and field.description.endswith(".") for field in settings.model_fields.values())
    assert settings.label and settings.model_fields["model"].default == name


@pytest.mark.slow
def test_settings_do_not_import_torch_and_timm():
    code = (
        "import sys; from iqadistill.models.registry import STUDENTS, TEACHERS; "
        "from iqadistill.encoders.registry import ENCODERS; "
        "[registry[name] for registry in (STUDENTS, TEACHERS, ENCODERS) for name in registry]; "
        "print([name for name in ('torch', 'timm', 'numpy') if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"


def test_students_state_what_they_learn_from():
    assert STUDENTS["mlp"].learns_from == "embeddings"
    assert all(issubclass(STUDENTS[name], DeepStudentSettings) for name in ("adtrs", "rkiqt"))
    assert {STUDENTS[name].learns_from for name in ("adtrs", "rkiqt")} == {"pixels"}
    assert {STUDENTS[name].learns_from for name in ("brisque", "niqe")} == {"images"}
    assert STUDENTS["external"].learns_from == "predictions"


@pytest.mark.parametrize(("name", "settings"), NETWORKS)
def test_without_weights_keeps_all_other_settings(name, settings):
    plain = settings(epochs=3).without_weights()
    names = [key for key in settings.model_fields if key in ("weights", "stem_weights")]
    assert [getattr(plain, key) for key in names] == ["none"] * len(names)
    assert plain.epochs == 3


def test_weights_are_a_keyword_or_a_file():
    assert weights_files("packaged", "hub", "none", "net.pth") == ("net.pth",)
    regressor = TEACHERS["regressor"](backbone="rednet101", weights="rednet101.pth")
    assert regressor.files() == ("rednet101.pth",) and TEACHERS["regressor"]().files() == ()
    with pytest.raises(InputError, match=r"teacher regressor: .*weights"):
        TEACHERS.create({"model": "regressor", "backbone": "rednet101"})


def test_student_names_its_teachers_by_role():
    rkiqt = STUDENTS["rkiqt"](nar="pristine", inv="inn")
    assert rkiqt.teachers() == {"nar": "pristine", "inv": "inn"}
    assert set(rkiqt.teacher_models) == {"nar", "conv", "inv"}
    rkiqt.check_teachers("students.rkiqt", {"nar": TEACHERS["nar_teacher"](), "inv": TEACHERS["regressor"]()})
    assert STUDENTS["adtrs"]().teachers() == {}


def test_teachers_state_their_training_data():
    nar = TEACHERS["nar_teacher"](pristine_patches=32, sampler="crops")
    assert (nar.trains_on(), nar.pristine_dataset(), nar.reference_patches()) == ("kadid10k", "div2k", 32)
    assert (nar.uses_references, nar.sampler_entry()) == (True, "crops")
    regressor = TEACHERS["regressor"]()
    assert (regressor.trains_on(), regressor.pristine_dataset(), regressor.reference_patches()) == (TARGET, None, 0)
    assert (regressor.uses_references, regressor.sampler_entry()) == (False, None)


def test_network_without_teachers_is_trained_directly():
    network = object()
    assert STUDENTS["adtrs"]().distilled(network, {}, None) is network
    assert TEACHERS["regressor"]().training_module(network, None) is network


def test_linear_head_scores_the_class_token_only():
    assert STUDENTS["rkiqt"](head="linear").scored_tokens() == ("cls",)
    assert STUDENTS["rkiqt"]().scored_tokens() == ("cls", "conv", "inv")


def test_adtrs_refuses_zero_weights_of_all_losses():
    weights = dict.fromkeys(("quality_weight", "consistency_weight", "ranking_consistency_weight", "ranking_weight"), 0)
    with pytest.raises(InputError, match=r"adtrs.*weights"):
        STUDENTS.create({"model": "adtrs", **weights})
