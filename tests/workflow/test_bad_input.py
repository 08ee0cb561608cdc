"""Whatever the user gets wrong ends in one clear sentence, early, with nothing half-made left behind."""

import pytest
from shared_results import shared_results

pytestmark = pytest.mark.xdist_group("bad")


def test_unknown_config_key_stops_at_once_with_the_nearest_one(workflow):
    study = workflow.study(experimints=[])
    planned = workflow.dry_run("--cores", "1", "--configfile", study, check=False)
    assert not planned.succeeded
    assert "experimints: unknown key; did you mean 'experiments'?" in planned.text
    assert "Traceback" not in planned.text


def test_h_above_the_patches_of_an_image_stops_at_once(workflow):
    study = workflow.study(selectors={"residual": {"n_components": 7}})
    planned = workflow.dry_run("--cores", "1", "--configfile", study, check=False)
    assert not planned.succeeded and "h = 7 exceeds the 6 patches" in planned.text


def test_missing_folder_is_refused_in_one_sentence(workflow):
    done = workflow.run("--cores", "1", "datasets", "--configfile", workflow.study(), check=False)
    assert done.returncode != 0
    assert "error: data/images.csv" in done.stdout
    assert not shared_results(workflow.folder, "index_dataset", "own")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda data: (data / "03.png").unlink(), "03.png"),
        (lambda data: (data / "03.png").write_bytes((data / "03.png").read_bytes()[:200]), "03.png"),
    ],
    ids=["missing", "truncated"],
)
def test_bad_image_stops_before_long_work(workflow, change, told):
    workflow.write_images()
    change(workflow.folder / "data")
    done = workflow.run("--cores", "2", "--configfile", workflow.study(), check=False)
    assert done.returncode != 0 and told in done.stdout
    results = {
        path.relative_to(workflow.folder / "results").parts[0]
        for path in workflow.folder.rglob("results/*/**/*.parquet")
    }
    assert not results & {"index_dataset", "split_dataset", "sample_patches"}


def test_image_smaller_than_the_patch_is_named(workflow):
    workflow.write_images()
    study = workflow.study(samplers={"grid_crops": {"count": 6, "size": 90}})
    done = workflow.run("--cores", "2", "--configfile", study, check=False)
    assert done.returncode != 0 and "90 x 90" in done.stdout, [x for x in done.stdout.splitlines() if "90 x" in x]
