"""Every shipped study builds its whole DAG, with the user's own commands, before any data is there."""

import re

import pytest

pytestmark = pytest.mark.xdist_group("dry")

DEMO = ("--cores", "8", "--resources", "gpu=2")
WORD_TARGETS = ("datasets", "patches", "embeddings", "selection", "teachers", "students", "evaluation", "report")


@pytest.mark.parametrize(
    ("arguments", "jobs"),
    [
        (DEMO, {"render_dataset": 3}),
        (("--workflow-profile", "profiles/slurm"), {"render_dataset": 3}),
        (
            ("--cores", "2", "--configfile", "studies/paper_selection360.yaml"),
            {"retrieve_dataset": 3, "index_dataset": 4, "sample_patches": 16},
        ),
        (("--cores", "2", "--configfile", "studies/own_images.yaml"), {"index_dataset": 1, "embed_patches": 2}),
        (("--cores", "2", "--configfile", "studies/panoramas.yaml"), {"render_dataset": 1, "sample_patches": 3}),
        (("--cores", "2", "--configfile", "studies/local_damage.yaml"), {"render_dataset": 2, "score_damage": 1}),
        (("--cores", "2", "--configfile", "studies/own_images_adtrs.yaml"), {"train_student": 25, "train_mlps": 5}),
        (
            ("--cores", "2", "--configfile", "studies/own_images_choosing.yaml"),
            {"train_on_chosen": 1, "plot_metrics": 1},
        ),
        (
            ("--cores", "2", "--configfile", "studies/own_images_rkiqt.yaml"),
            {"train_student": 30, "pretrain_teacher": 10},
        ),
        (("--cores", "2", "--configfile", "studies/paper_adtrs.yaml"), {"retrieve_dataset": 5, "train_mlps": 13}),
        (("--cores", "2", "--configfile", "studies/paper_rkiqt.yaml"), {"retrieve_dataset": 9, "train_mlps": 8}),
    ],
    ids=lambda value: " ".join(value[-1:]) if isinstance(value, tuple) else "",
)
def test_dry_run_builds_the_full_dag(shipped, arguments, jobs):
    planned = shipped.dry_run(*arguments)
    assert {rule: planned.counts[rule] for rule in jobs} == jobs
    assert planned.counts["render_report"] == 1
    trainings = [job for job in planned.jobs if job.rule in ("train_student", "pretrain_teacher")]
    held = 7000 if "studies/paper_rkiqt.yaml" in arguments else 2000  # MB of images or patches
    assert {job.resources["mem_mb"] for job in trainings} <= {8000, 6000 + held, 7000 + held}
    with_teachers = [job for job in trainings if "rkiqt" in job.wildcards.get("student", "")]
    assert {job.resources["mem_mb"] for job in with_teachers} <= {7000 + held}  # 1000 of them for teachers' outputs


def test_every_shipped_study_is_planned_above(shipped):
    parameters = test_dry_run_builds_the_full_dag.pytestmark[0].args[1]
    planned = {arguments[-1] for arguments, _ in parameters}
    studies = {path.relative_to(shipped.folder).as_posix() for path in shipped.folder.glob("studies/paper_*.yaml")}
    assert studies <= planned


def test_dry_run_in_process_plans_what_a_process_plans(shipped):
    printed = shipped.run("-n", *DEMO).stdout
    counts = {rule: int(count) for rule, count in re.findall(r"^(\w+) +(\d+)$", printed, flags=re.MULTILINE)}
    counts.pop("total")
    assert counts == shipped.dry_run(*DEMO).counts


def test_word_targets_exist(shipped):
    planned = shipped.dry_run("--cores", "2", *WORD_TARGETS)
    assert {target: planned.counts[target] for target in WORD_TARGETS} == dict.fromkeys(WORD_TARGETS, 1)


def test_headline_makes_the_main_tables_alone(shipped):
    planned = shipped.dry_run("--cores", "2", "headline", "--configfile", "studies/paper_selection360.yaml")
    assert planned.succeeded, planned.text
    figures = {job.wildcards["experiment"] for job in planned.jobs if job.rule.startswith("plot_")}
    assert figures == {"rate_sweep", "controls_40", "controls"}
    assert 0 < planned.counts["select_patches"] < 100 and planned.counts["train_mlps"] == 9
    refused = shipped.dry_run("--cores", "2", "headline", check=False)
    assert not refused.succeeded and "headline: true" in refused.text


def test_gpu_is_requested_unless_the_study_says_cpu(workflow):
    def requests(planned, rule="embed_patches"):
        return {job.resources.get("gpu") for job in planned.jobs if job.rule == rule}

    planned = workflow.dry_run("--cores", "2", "selection")
    assert requests(planned) == {1}
    assert requests(planned, "select_patches") == {None}
    workflow.write_images()
    assert requests(workflow.dry_run("--cores", "2", "embeddings", "--configfile", workflow.study())) == {None}


def test_own_study_does_not_inherit_keys_of_the_default_one(workflow):
    workflow.write_images()
    planned = workflow.dry_run("--cores", "2", "--configfile", workflow.study())
    assert planned.outputs and not any("gallery" in file for file in planned.outputs)
