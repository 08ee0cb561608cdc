import importlib.util
import json
import shutil
from pathlib import Path

import pytest

from iqadistill import provenance
from iqadistill.provenance import code_digest, file_digest, write_sidecar

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def package(tmp_path):
    """A folder with a small copy of the package and one script."""
    for name in ("__init__", "errors", "tables", "provenance"):
        (tmp_path / "iqadistill").mkdir(exist_ok=True)
        shutil.copy(REPOSITORY / f"iqadistill/{name}.py", tmp_path / f"iqadistill/{name}.py")
    (tmp_path / "iqadistill/stage").mkdir()
    (tmp_path / "iqadistill/stage/__init__.py").write_text("from iqadistill.stage.deep import f\n")
    (tmp_path / "iqadistill/stage/deep.py").write_text('def f(x):\n    """Add."""\n    return x + 1  # one\n')
    (tmp_path / "iqadistill/other.py").write_text("y = 1\n")
    (tmp_path / "script.py").write_text("from iqadistill.stage import f\n")
    return tmp_path


def digest(folder, modules=()):
    """Digest of the script, computed by the copied package; its module is loaded again because it caches files."""
    spec = importlib.util.spec_from_file_location("copied_provenance", folder / "iqadistill/provenance.py")
    copied = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(copied)
    return copied.code_digest(folder / "script.py", modules)


def test_edited_function_changes_digest(package):
    before = digest(package)
    (package / "iqadistill/stage/deep.py").write_text('def f(x):\n    """Add."""\n    return x + 2  # one\n')
    assert digest(package) != before


def test_digest_covers_modules_next_to_script_and_their_imports(package):
    (package / "script.py").write_text("from helper import g\n")
    (package / "helper.py").write_text("from iqadistill.other import y\n\ng = y\n")
    before = digest(package)
    (package / "helper.py").write_text("from iqadistill.other import y\n\ng = -y\n")
    edited = digest(package)
    (package / "iqadistill/other.py").write_text("y = 2\n")
    assert len({before, edited, digest(package)}) == 3


def test_comments_docstrings_and_layout_do_not_change_digest(package):
    before = digest(package)
    (package / "iqadistill/stage/deep.py").write_text('def f(x):\n    """Sum."""\n\n    # two\n    return (x + 1)\n')
    assert digest(package) == before


def test_module_that_is_not_imported_does_not_change_digest(package):
    before = digest(package)
    (package / "iqadistill/other.py").write_text("y = 2\n")
    assert digest(package) == before


def test_digest_covers_imports_inside_functions(package):
    (package / "script.py").write_text("def main():\n    from iqadistill import other\n    return other.y\n")
    before = digest(package)
    (package / "iqadistill/other.py").write_text("y = 2\n")
    assert digest(package) != before


def test_digest_covers_data_files_named_in_code(package):
    (package / "iqadistill/stage/deep.py").write_text('def f(x):\n    return "levels.csv"\n')
    (package / "iqadistill/stage/levels.csv").write_text("1\n")
    before = digest(package)
    (package / "iqadistill/stage/levels.csv").write_text("2\n")
    assert digest(package) != before


def test_every_workflow_script_has_a_digest():
    scripts = sorted((REPOSITORY / "workflow_scripts").glob("*.py"))
    digests = [code_digest(script) for script in scripts]
    assert len(scripts) > 10 and all(len(d) == 16 for d in digests)


def test_sidecar_records_facts_versions_and_input_digests(tmp_path):
    (tmp_path / "in.txt").write_text("abc")
    write_sidecar(tmp_path / "out.json", {"seed": 3}, [tmp_path / "in.txt"])
    record = json.loads((tmp_path / "out.json").read_text())
    assert record["seed"] == 3
    assert record["versions"]["torch"]
    assert record["inputs"] == {(tmp_path / "in.txt").as_posix(): file_digest(tmp_path / "in.txt")}
    assert file_digest(tmp_path / "in.txt").startswith("ba7816bf")


def test_git_commit_is_empty_outside_repository(tmp_path):
    assert provenance.git_commit(tmp_path) == ""


def test_digest_follows_reexports_to_defining_module(package):
    (package / "iqadistill/stage/unrelated.py").write_text("z = 1\n")
    (package / "iqadistill/stage/__init__.py").write_text(
        "from iqadistill.stage.unrelated import z\nfrom iqadistill.stage.deep import f\n"
    )
    before = digest(package)
    (package / "iqadistill/stage/unrelated.py").write_text("z = 2\n")
    assert digest(package) == before
    (package / "iqadistill/stage/deep.py").write_text("def f(x):\n    return x + 2\n")
    assert digest(package) != before


def test_digest_follows_lazy_imports_through_stub(package):
    (package / "iqadistill/stage/__init__.py").write_text("import lazy_loader\n")
    (package / "iqadistill/stage/__init__.pyi").write_text("from .deep import f as f\n")
    before = digest(package)
    (package / "iqadistill/stage/deep.py").write_text("def f(x):\n    return x + 2\n")
    assert digest(package) != before


def test_digest_ignores_type_checking_imports(package):
    (package / "script.py").write_text(
        "from typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    from iqadistill.other import y\n"
    )
    before = digest(package)
    (package / "iqadistill/other.py").write_text("y = 2\n")
    assert digest(package) == before


def test_registered_module_affects_only_jobs_that_name_it(package):
    (package / "iqadistill/entry.py").write_text("from iqadistill.other import y\n")
    before = digest(package), digest(package, ["iqadistill.entry"])
    (package / "iqadistill/other.py").write_text("y = 2\n")
    after = digest(package), digest(package, ["iqadistill.entry"])
    assert before[0] == after[0] and before[1] != after[1]
