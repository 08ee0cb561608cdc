# From image-quality datasets to paper figures: `snakemake --cores all` makes the study of config.yaml,
# `snakemake --cores all --configfile studies/NAME.yaml` another one.
import os
import platform
from pathlib import Path

from snakemake.utils import min_version

min_version("9.27")

# of this workflow, also where another one imports it
CHECKOUT = workflow.current_basedir.get_path_or_uri(secret_free=True)
# that of the working folder, else that beside this file
DEFAULT_STUDY = (
    "config.yaml" if Path("config.yaml").is_file() else f"{CHECKOUT}/config.yaml"
)


# The C library clears memory anew for every large image and feature map unless it is told to keep what was freed. One
# pool for all threads lets them share it, up to 256 MB a block; glibc before 2.35 would not take so large a block.
if platform.libc_ver()[0] == "glibc" and tuple(
    map(int, platform.libc_ver()[1].split("."))
) >= (2, 35):
    for name, value in {
        "MALLOC_ARENA_MAX": 1,
        "MALLOC_MMAP_THRESHOLD_": 2**28,
        "MALLOC_TRIM_THRESHOLD_": 2**30,
    }.items():
        os.environ.setdefault(name, str(value))


include: "rules/study.smk"
include: "rules/common.smk"
include: "rules/checks.smk"
include: "rules/datasets.smk"
include: "rules/patches.smk"
include: "rules/embeddings.smk"
include: "rules/selection.smk"
include: "rules/teachers.smk"
include: "rules/students.smk"
include: "rules/competitors.smk"
include: "rules/evaluation.smk"
include: "rules/report.smk"


# Jobs that no node of a cluster can run would wait in its queue for ever.
onstart:
    check_writable()
    check_shards()
    check_cluster()


onsuccess:
    if sentence := PLAN.replaced_meanwhile():
        logger.warning(sentence)


rule all:
    default_target: True
    input:
        report=PLAN.outputs("render_report"),
        archives=PLAN.outputs("retrieve_dataset"),
    message:
        "The report is {input.report}."


# The main tables of the study alone, in its folder headline.
rule headline:
    input:
        report=main_tables("render_report"),
        archives=main_tables("retrieve_dataset"),
    message:
        "The report of the main tables is {input.report}."


# Word targets, stage by stage.
rule datasets:
    input:
        PLAN.outputs("retrieve_dataset", "split_dataset"),


rule patches:
    input:
        PLAN.outputs("sample_patches"),


rule embeddings:
    input:
        PLAN.outputs(*EMBEDDINGS),


rule selection:
    input:
        PLAN.outputs("select_patches"),


rule teachers:
    input:
        PLAN.outputs("pretrain_teacher"),


rule students:
    input:
        PLAN.outputs("train_mlps", "train_student"),


rule evaluation:
    input:
        PLAN.outputs("compare"),


rule report:
    input:
        PLAN.outputs("render_report"),
