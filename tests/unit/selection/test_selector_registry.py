"""The registry of selectors."""

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from iqadistill.errors import InputError
from iqadistill.provenance import code_modules
from iqadistill.registry import Registry
from iqadistill.selection import SELECTORS, RandomSelector, ResidualSelector, rank_patches
from iqadistill.selection import selectors as selectors_folder
from iqadistill.selection.settings import SelectorSettings
from iqadistill.tables import embeddings_table

SCRIPT = Path(__file__).parents[3] / "workflow_scripts/select_patches.py"

NEW_SELECTOR = '''
"""Patches by the norm of their embeddings."""

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from iqadistill.selection.base import Selector, unscored
from iqadistill.selection.settings import SelectorSettings


class NormSettings(SelectorSettings):
    """Patches by the norm of their embeddings."""

    label: ClassVar[str] = "norm"
    colour: ClassVar[str] = "#123456"
    marker: ClassVar[str] = "x"
    order: ClassVar[int] = 9

    method: Literal["norm"] = "norm"
    sign: Literal[-1, 1] = Field(1, description="1: smallest norm first")

    def create(self):
        return NormSelector(self.sign)


class NormSelector(Selector):
    def __init__(self, sign=1):
        self.sign = sign

    def _fit(self, matrices, seeds):
        return [unscored(np.argsort(self.sign * np.linalg.norm(X, axis=1), kind="stable")) for X in matrices]
'''


def embeddings():
    return embeddings_table(np.arange(4), ["a"] * 4, np.array([[3], [1], [2], [4]], dtype=np.float32))


@pytest.fixture
def registry_with_norm_selector(tmp_path):
    """Registry of selectors with an additional file in its folder."""
    assert "norm" not in SELECTORS.names  # which is found once, before there is a norm
    (tmp_path / "norm.py").write_text(NEW_SELECTOR)
    selectors_folder.__path__.append(str(tmp_path))
    yield Registry(SELECTORS.package, SelectorSettings, key="method", noun="selector")
    selectors_folder.__path__.remove(str(tmp_path))
    sys.modules.pop(f"{SELECTORS.package}.norm", None)


def test_new_selector_needs_one_file_only(registry_with_norm_selector):
    assert set(registry_with_norm_selector.names) == {*SELECTORS.names, "norm"}
    selector = registry_with_norm_selector.create({"method": "norm", "sign": -1}).create()
    selection, trace = rank_patches(embeddings(), selector, seed=0)
    assert selection["rank"].to_pylist() == [1, 3, 2, 0]
    assert len(trace) == 0


def test_methods_have_distinct_styles_and_legend_order():
    settings = [SELECTORS[method] for method in SELECTORS]
    for attribute in ("label", "colour", "marker", "order"):
        assert len({getattr(entry, attribute) for entry in settings}) == len(settings)
    assert sorted(SELECTORS, key=lambda method: SELECTORS[method].order) == [
        "residual", "kcenter", "herding", "facility", "highest_residual", "random", "position", "thumbnail",
    ]  # fmt: skip


def test_residual_selectors_need_as_many_patches_as_components():
    least = {method: SELECTORS[method]().least_patches for method in SELECTORS}
    assert {method for method, patches in least.items() if patches == 1} == {
        "random", "position", "thumbnail", "kcenter", "herding", "facility",
    }  # fmt: skip
    assert least["residual"] == least["highest_residual"] == 10
    assert SELECTORS.create({"method": "residual", "n_components": 3}).least_patches == 3


def test_settings_are_passed_to_the_selector():
    settings = {"n_components": 3, "alpha": 0.2, "solver": "published", "tol": 1e-3}
    selector = SELECTORS.create({"method": "residual", **settings}).create()
    assert selector.settings == ResidualSelector(**settings).settings
    assert selector.settings.beta == 0.1 and selector.dtype == "float64"
    assert isinstance(SELECTORS["random"]().create(), RandomSelector)
    assert SELECTORS.create({"method": "kcenter", "metric": "manhattan"}).create().metric == "manhattan"


def test_invalid_settings_are_refused():
    for settings, match in [
        ({"method": "herdin"}, "'herding'"),
        ({"method": "kcenter", "alpha": 1}, "alpha"),
        ({"method": "random", "device": "cpu"}, "device"),
        ({"method": "residual", "gama": 1}, "gama.*'gamma'"),
        ({"method": "residual", "solver": "newton"}, "solver.*'newton'"),
        ({"method": "residual", "alpha": 0}, "alpha.*0"),
    ]:
        with pytest.raises(InputError, match=match):
            SELECTORS.create(settings)


def imported_modules(code):
    """The numerical packages that a new process has imported after the code."""
    code += "\nimport sys; print(*(name for name in ('torch', 'scipy', 'pandas', 'pyarrow') if name in sys.modules))"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()


@pytest.mark.slow
def test_settings_import_no_numerical_package():
    code = """
from iqadistill.selection.registry import SELECTORS
for settings in SELECTORS.values():
    settings()
"""
    assert imported_modules(code) == []


@pytest.mark.slow
def test_selection_does_not_import_torch():
    code = """
import numpy as np
from iqadistill.selection.ranking import rank_patches
from iqadistill.selection.registry import SELECTORS
from iqadistill.tables import embeddings_table
table = embeddings_table(np.arange(12), ["a"] * 12, np.eye(12, dtype=np.float32))
for settings in SELECTORS.values():
    if not settings.needs_patches:
        rank_patches(table, settings().create(), seed=0)
"""
    assert "torch" not in imported_modules(code)


@pytest.mark.parametrize("method", sorted(set(SELECTORS) - {"thumbnail"}))  # which reads images
def test_no_code_of_a_select_job_imports_torch(method):
    modules = code_modules(SCRIPT, [SELECTORS.module(method)])
    assert SELECTORS.module(method) in modules and "iqadistill.selection.ranking" in modules
    for file in [SCRIPT, *(Path(find_spec(module).origin) for module in modules)]:
        names = re.findall(r"^ *(?:import|from) (\w+)", file.read_text(), re.M)
        assert not {"torch", "torchvision", "timm", "job"} & set(names), file
