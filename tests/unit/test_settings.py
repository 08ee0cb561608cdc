"""Messages of settings that are one of several kinds name the key as the study file has it."""

from typing import Annotated, Literal

import pytest
from pydantic import Field

from iqadistill.encoders.backends.timm import TimmSettings
from iqadistill.encoders.settings import EncoderSettings
from iqadistill.errors import InputError
from iqadistill.settings import Settings


class OtherSettings(EncoderSettings):
    """An encoder of another library."""

    backend: Literal["other"] = "other"
    model: str = "network"


class Entries(Settings):
    """Encoders of two libraries, told apart by their backend; both have a model as well."""

    encoders: dict[str, Annotated[TimmSettings | OtherSettings, Field(discriminator="backend")]]


class Angle(Settings):
    """A number or one word."""

    angle: Annotated[float, Field(gt=0)] | Literal["native"] = 1.0


def test_alternatives_of_a_plain_union_are_not_part_of_the_key():
    with pytest.raises(InputError, match=r"^camera\.angle: input should be greater than 0"):
        Angle.of({"angle": -1}, "camera")


def message(**settings):
    """The message that refuses an encoder with these settings."""
    with pytest.raises(InputError) as caught:
        Entries.of({"encoders": {"mine": settings}}, "")
    return str(caught.value)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"backend": "timm", "pooling": "gab"}, "encoders.mine.pooling: unknown value 'gab'; did you mean 'gap'?"),
        ({"backend": "timm", "weight": "none"}, "encoders.mine.weight: unknown key; did you mean 'weights'?"),
        ({"backend": "other", "size": 8}, "encoders.mine.size: "),
        ({"backend": "tim"}, "encoders.mine.backend: unknown value 'tim'; did you mean 'timm'?"),
    ],
)
def test_the_kind_of_an_entry_is_not_part_of_its_key(settings, sentence):
    assert message(**settings).startswith(sentence)
