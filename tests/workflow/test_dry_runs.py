"""Every shipped study builds its whole DAG, with the user's own commands, before any data is there."""

import re

import pytest

pytestmark = pytest.mark.xdist_group("dry")


@pytest.mark.parametrize(
    ("arguments", "stages"),
    [
        (["--cores", "8", "--resources", "gpu=2"], {"render_dataset": 3}),
        (["--workflow-profile", "profiles/slurm"], {"render_dataset": 3}),
        (
            ["--cores", "2", "--configfile", "studies/paper_selection360.yaml"],
            {"retrieve_dataset": 3, "index_dataset": 3, "sample_patches": 9},
        ),
        (["--cores", "2", "--configfile", "studies/own_images.yaml"], {"index_dataset": 1, "embed_patches": 2}),
        (["--cores", "2", "--configfile", "studies/panoramas.yaml"], {"render_dataset": 1, "sample_patches": 3}),
        (["--cores", "2", "--configfile", "studies/own_images_adtrs.yaml"], {"train_network": 25, "train_student": 1}),
        (
            ["--cores", "2", "--configfile", "studies/own_images_rkiqt.yaml"],
            {"train_network": 25, "pretrain_teacher": 15},
        ),
        (["--cores", "2", "--configfile", "studies/paper_adtrs.yaml"], {"retrieve_dataset": 5, "train_student": 5}),
        (["--cores", "2", "--configfile", "studies/paper_rkiqt.yaml"], {"retrieve_dataset": 9, "train_student": 8}),
    ],
)
def test_dry_run_builds_the_full_dag(workflow, arguments, stages):
    printed = workflow.run("-n", *arguments).stdout
    counts = dict(re.findall(r"^(\w+) +(\d+)$", printed, flags=re.MULTILINE))
    assert {stage: int(counts[stage]) for stage in stages} == stages
    assert counts["render_report"] == "1"


@pytest.mark.parametrize(
    "target", ["datasets", "patches", "embeddings", "selection", "teachers", "students", "evaluation", "report"]
)
def test_word_targets_exist(workflow, target):
    assert re.search(rf"^{target} +1$", workflow.run("-n", "--cores", "2", target).stdout, flags=re.MULTILINE)


def test_gpu_is_asked_for_unless_the_study_says_cpu(workflow):
    rule = workflow.folder / "rules/embeddings.smk"
    # a dry run shows a job's resources only where the rule has no message
    rule.write_text(re.sub(r"    message:\n.*\n", "", rule.read_text()))
    asked = re.compile(r"resources: .*gpu=1")
    assert asked.search(workflow.run("-n", "--cores", "2", "embeddings").stdout)
    workflow.pictures()
    printed = workflow.run("-n", "--cores", "2", "embeddings", "--configfile", workflow.study()).stdout
    assert "resources: " in printed and "gpu=" not in printed


def test_own_study_does_not_inherit_keys_of_the_default_one(workflow):
    workflow.pictures()
    printed = workflow.run("-n", "--cores", "2", "--configfile", workflow.study()).stdout
    assert "gallery" not in printed
