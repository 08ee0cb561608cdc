"""The workflow run from another folder, and imported by another workflow."""

import pytest
from dry_runs import dry_run

pytestmark = pytest.mark.xdist_group("dry")

IMPORTER = """
{configfile}
module iqa:
    snakefile: "{clone}/Snakefile"
    {config}

use rule * from iqa as iqa_*

rule all:
    default_target: True
    input: rules.iqa_all.input
"""


@pytest.fixture(scope="module")
def elsewhere(shipped, tmp_path_factory):
    """A folder with a small study, its scores, and nothing of the workflow."""
    folder = tmp_path_factory.mktemp("else where")
    (folder / "tiny.yaml").write_text((shipped.folder / shipped.study("tiny")).read_text())
    (shipped.folder / "tiny.yaml").unlink()
    (folder / "data").mkdir()
    (folder / "data" / "images.csv").write_text("image,mos\na.png,1\nb.png,2\nc.png,3\nd.png,4\ne.png,5\nf.png,6\n")
    return folder


def importer(folder, clone, configfile='configfile: "tiny.yaml"', config="config: config"):
    text = IMPORTER.format(clone=clone, configfile=configfile, config=config)
    (folder / "Snakefile").write_text(text)


def test_default_study_is_found_beside_the_snakefile(shipped, tmp_path):
    planned = dry_run(tmp_path, "--cores", "2", "-s", str(shipped.folder / "Snakefile"))
    assert planned.succeeded and planned.counts == shipped.dry_run("--cores", "2").counts


def test_directory_elsewhere(shipped, tmp_path):
    before = sorted(shipped.folder.rglob("*"))
    planned = shipped.dry_run("--cores", "2", "--directory", str(tmp_path))
    assert planned.counts["render_report"] == 1
    assert sorted(shipped.folder.rglob("*")) == before  # the checkout may be read-only


def test_code_in_the_default_study_is_refused_and_not_run(shipped, tmp_path):
    code = "__use_yte__: true\nname: ?open('ran', 'w').name\n"
    (tmp_path / "config.yaml").write_text(code)
    planned = dry_run(tmp_path, "--cores", "2", "-s", str(shipped.folder / "Snakefile"))
    assert not planned.succeeded and "config.yaml: the key __use_yte__ makes Snakemake run code" in planned.text
    assert not (tmp_path / "ran").exists()


def test_file_as_folder_of_a_dataset_is_refused(shipped, tmp_path):
    (tmp_path / "taken").touch()
    study = shipped.study("taken", datasets={"own": {"source": "images", "root": str(tmp_path / "taken")}})
    planned = shipped.dry_run("--cores", "2", "--configfile", study, check=False)
    (shipped.folder / study).unlink()
    assert not planned.succeeded and "taken is a file, expected a folder" in planned.text


def test_study_of_another_folder(shipped, elsewhere):
    planned = dry_run(elsewhere, "--cores", "2", "-s", str(shipped.folder / "Snakefile"), "--configfile", "tiny.yaml")
    assert planned.counts["index_dataset"] == 1 and planned.counts["render_report"] == 1


@pytest.mark.parametrize(
    ("options", "arguments"),
    [
        ({}, ()),
        ({"configfile": ""}, ("--configfile", "tiny.yaml")),
        ({"configfile": "", "config": ""}, ()),  # the study of the imported workflow
    ],
)
def test_imported_as_module(shipped, elsewhere, options, arguments):
    importer(elsewhere, shipped.folder, **options)
    planned = dry_run(elsewhere, "--cores", "2", *arguments)
    assert planned.succeeded, planned.text
    assert planned.counts["iqa_render_report"] == 1


@pytest.mark.parametrize("option", ['prefix: "iqa/"', 'replace_prefix: {"results/": "iqa/"}'])
def test_module_with_prefix_is_refused(shipped, elsewhere, option):
    importer(elsewhere, shipped.folder, config=f"config: config\n    {option}")
    planned = dry_run(elsewhere, "--cores", "2")
    assert not planned.succeeded
    assert "prefix and replace_prefix are not supported" in planned.text


def test_key_given_twice_is_refused_with_its_line(shipped, elsewhere, tmp_path):
    text = (elsewhere / "tiny.yaml").read_text()
    (tmp_path / "twice.yaml").write_text(f"{text}keep: [0.25]\n")
    planned = shipped.dry_run("--cores", "2", "--configfile", str(tmp_path / "twice.yaml"), check=False)
    assert not planned.succeeded
    assert f"line {len(text.splitlines()) + 1}: the key keep is given twice (first in line" in planned.text


def test_home_folder_is_expanded(shipped, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "scored").mkdir()
    (tmp_path / "scored" / "images.csv").write_text("image,mos\na.png,1\n")
    study = shipped.study("home", datasets={"own": {"source": "images", "root": "~/scored/"}})
    planned = shipped.dry_run("--cores", "2", "--configfile", study)
    (shipped.folder / study).unlink()
    index = next(job for job in planned.jobs if job.rule == "index_dataset")
    assert index.input[0] == str(tmp_path / "scored" / "images.csv")
    assert not (shipped.folder / "~").exists()
