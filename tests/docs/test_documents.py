"""The documents agree with the code: tables and their columns, rules, links, versions."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

from iqadistill import __version__
from iqadistill.table_schemas import SCHEMAS, VARIANT_COLUMNS

REPOSITORY = Path(__file__).parents[2]
ARCHITECTURE = (REPOSITORY / "docs/architecture.md").read_text(encoding="utf-8")
DOCUMENTS = [*sorted(REPOSITORY.glob("*.md")), *sorted(REPOSITORY.glob("docs/*.md"))]


def rows(heading: str) -> list[list[str]]:
    """Cells of the rows of the table below a heading."""
    section = ARCHITECTURE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in lines[1:]]


def test_architecture_lists_every_rule():
    rules = [
        rule
        for file in (REPOSITORY / "rules").glob("*.smk")
        for rule in re.findall(r"^rule (\w+):", file.read_text(), re.M)
    ]
    assert sorted(cells[0].strip("`") for cells in rows("Rules, in order")) == sorted(rules)


def test_architecture_lists_the_columns_of_every_table():
    columns = {cells[0]: re.findall(r"\*?\w+\*?", cells[2]) for cells in rows("Tables")}
    assert columns.pop("embeddings") == ["patch_id", "image_id", "embedding"]
    assert set(columns) == set(SCHEMAS)
    over_splits = [name for name in VARIANT_COLUMNS if name != "split"]
    for table, schema in SCHEMAS.items():
        written = set(columns[table])
        expected = set(schema.names) - {f"other_{name}" for name in over_splits}
        if "*variant*" in written:
            expected = (expected - set(VARIANT_COLUMNS)) | {"*variant*"}
        assert expected <= written, (table, expected - written)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_in_documents_resolve(document):
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", document.read_text(encoding="utf-8"))
    missing = [name for name in targets if "://" not in name and not (document.parent / name).exists()]
    assert not missing


def test_versions_agree():
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    citation = yaml.safe_load((REPOSITORY / "CITATION.cff").read_text())
    assert project["version"] == __version__ == str(citation["version"])
    licence = (REPOSITORY / "LICENSE").read_text()
    assert all(author["name"] in licence for author in citation["authors"])


STUDIES = {"A": "studies/paper_selection360", "B": "studies/paper_rkiqt", "C": "studies/paper_adtrs", "demo": "config"}
STUDIES["own_images_rkiqt"] = "studies/own_images_rkiqt"


def _statements():
    """Cells of every statement's row in docs/papers.md."""
    lines = (REPOSITORY / "docs/papers.md").read_text(encoding="utf-8").splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if re.match(r"\| [ABCD]\d", line)]


def test_every_statement_of_the_papers_has_one_row():
    rows = _statements()
    assert len({row[0] for row in rows}) == len(rows) == 122
    assert {row[-1] for row in rows} == {"shown", "ready", "later"}


@pytest.mark.parametrize("row", [row for row in _statements() if len(row) == 5], ids=lambda row: row[0])
def test_statements_of_the_papers_name_files_and_experiments_that_exist(row):
    _, _, code, shown, _ = row
    for name in re.findall(r"[a-z0-9_/]+/[a-z0-9_]+(?:\.\w+)?", code):
        assert (REPOSITORY / "iqadistill" / name).exists(), name
    for study, names in (part.split(" ", 1) for part in shown.split("; ") if part):
        study = yaml.safe_load((REPOSITORY / f"{STUDIES[study]}.yaml").read_text(encoding="utf-8"))
        experiments = {entry.get("name", entry["figure"]) for entry in study["experiments"]}
        assert set(names.split(", ")) <= experiments | {"report", "all"}
