"""The generated reference of settings is complete, and the committed copy in docs/ is up to date."""

from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, Field

from iqadistill.config.__main__ import TITLE
from iqadistill.config.reference import reference
from iqadistill.config.study import Study

REPOSITORY = Path(__file__).parents[3]


class Crop(BaseModel):
    """A crop.

    Not part of the summary.
    """

    method: Literal["crop"] = Field("crop", description="A crop.")
    size: int = Field(224, ge=8, le=512, description="Side in pixels.")


class Grid(BaseModel):
    """A grid of crops."""

    method: Literal["grid"] = Field("grid", description="A grid.")
    rates: tuple[Annotated[float, Field(gt=0, le=1)], ...] = Field((0.5, 1.0), min_length=1, description="Keep rates.")


class Scale(BaseModel):
    """Range of scores."""

    lowest: float | None = Field(None, description="Lowest score; default: the one observed | none.")


class Page(BaseModel):
    """A page of settings."""

    name: str = Field(pattern="^[a-z]+$", description="Name of the page.")
    title: str = Field("", description="Headline.")
    device: Literal["cpu", "cuda"] = Field("cpu", description="Where it runs.")
    exact: bool = Field(False, description="Whether sums are exact.")
    samplers: dict[str, Annotated[Crop | Grid, Field(discriminator="method")]] = Field({}, description="Samplers.")
    scale: Scale = Field(Scale(), description="Scale of the scores.")
    limits: tuple[float, float] | None = Field(None, description="Two limits.")
    weights: bool | str = Field(True, description="File of weights.")


@pytest.fixture(scope="module")
def page():
    return reference(Page, "Keys of a page")


@pytest.mark.parametrize(
    "row",
    [
        "| `name` | text | required | matches `^[a-z]+$` | Name of the page. |",
        '| `title` | text | `""` |  | Headline. |',
        "| `device` | `cpu` or `cuda` | `cpu` |  | Where it runs. |",
        "| `exact` | true or false | `false` |  | Whether sums are exact. |",
        "| `samplers` | mapping of names to settings, see below |  |  | Samplers. |",
        "| `limits` | list of number, number |  |  | Two limits. |",
        "| `weights` | true or false or text | `true` |  | File of weights. |",
        "| `size` | integer | `224` | ≥ 8, ≤ 512 | Side in pixels. |",
        "| `rates` | list of numbers | `[0.5, 1.0]` | at least 1 entry, each > 0, ≤ 1 | Keep rates. |",
        "| `lowest` | number |  |  | Lowest score; default: the one observed \\| none. |",
    ],
)
def test_every_key_has_a_row(page, row):
    assert row in page.splitlines()


def test_sections_follow_key_order(page):
    headings = [line for line in page.splitlines() if line.startswith("#")]
    assert headings == [
        "# Keys of a page",
        "## samplers",
        "### samplers: method crop",
        "### samplers: method grid",
        "## scale",
    ]
    assert "A crop." in page.splitlines() and "Not part of the summary." not in page


def test_committed_reference_is_up_to_date():
    written = (REPOSITORY / "docs/configuration.md").read_text(encoding="utf-8")
    assert written == reference(Study, TITLE), "run `make schema`"


def test_every_study_key_has_a_description():
    rows = [line for line in reference(Study, TITLE).splitlines() if line.startswith("| `")]
    assert len(rows) > 100 and not [row for row in rows if row.endswith("|  |")]
