"""`snakemake --report` packs every figure of a finished study with its caption."""

import zipfile

import pytest

pytestmark = pytest.mark.xdist_group("finished")


def test_archive_holds_every_figure_with_its_caption(finished):
    finished.run("--cores", "1", "--configfile", "small.yaml", "--report", "report.zip")
    with zipfile.ZipFile(finished.folder / "report.zip") as archive:
        names = archive.namelist()
        page = next(archive.read(name).decode() for name in names if name.endswith("report.html"))
    for figure, caption in (("rate_sweep", "SRCC and PLCC of the student"), ("overlap", "Jaccard index")):
        assert any(name.endswith(f"{figure}.png") for name in names)
        assert caption in page
