"""Layout of the page: tables stay readable in a narrow window."""

import re
from importlib.resources import files

import pytest

TEMPLATE = files("iqadistill.report").joinpath("report.html.j2").read_text(encoding="utf-8")


def rules(selector):
    """CSS declarations of a selector outside the print style, by property."""
    screen = TEMPLATE.split("@media print")[0]
    declared = {}
    for selectors, body in re.findall(r"^([^@{}\n]+)\{([^}]*)\}", screen, re.M):
        if selector in [name.strip() for name in selectors.split(",")]:
            declared |= dict(part.strip().split(": ", 1) for part in body.split(";") if part.strip())
    return declared


def test_every_table_scrolls_in_its_own_box():
    boxes = len(re.findall(r'<div class="scroll" tabindex="0" role="region" aria-label="[^"]+">\s*<table', TEMPLATE))
    assert boxes == len(re.findall("<table", TEMPLATE)) > 0
    assert rules(".scroll")["overflow"] == "auto"
    assert rules(".scroll")["max-width"] == "100%"


def test_cells_wrap_lines():
    assert rules("td").get("white-space") != "nowrap"


def test_first_column_and_header_stay_in_view():
    first = rules("tbody th")
    assert first["position"] == "sticky" and first["left"] == "0" and "background" in first
    assert rules("thead th")["position"] == "sticky" and rules("thead th")["top"] == "0"


@pytest.mark.parametrize("width", [1600, 1000])
def test_paragraphs_have_a_limited_width_while_tables_use_the_window(width):
    body, paragraph = rules("body")["max-width"], rules("p")["max-width"]
    assert float(body.removesuffix("rem")) * 16 >= 1600
    assert float(paragraph.removesuffix("rem")) * 16 <= width
