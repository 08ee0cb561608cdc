# From image-quality datasets to paper figures: `snakemake --cores all` makes the study of config.yaml,
# `snakemake --cores all --configfile studies/NAME.yaml` another one.
from snakemake.utils import min_version

min_version("9.27")

# A study stands alone: the default is read only when no other is given, for Snakemake would merge the two.
if not workflow.config_settings.configfiles:

    configfile: "config.yaml"


include: "rules/common.smk"
include: "rules/datasets.smk"
include: "rules/patches.smk"
include: "rules/embeddings.smk"
include: "rules/selection.smk"
include: "rules/teachers.smk"
include: "rules/students.smk"
include: "rules/evaluation.smk"
include: "rules/report.smk"


rule all:
    default_target: True
    input:
        rules.render_report.output,
    message:
        "The report is {input}."


# Word targets, stage by stage.
rule datasets:
    input:
        expand("results/split_dataset/{dataset}.parquet", dataset=scored_datasets()),


rule patches:
    input:
        [
            f"results/sample_patches/{dataset}/{sampler}.parquet"
            for dataset, sampler in sorted(SAMPLED)
        ],


rule embeddings:
    input:
        embedding_files(),


rule selection:
    input:
        all_selections(),


rule teachers:
    input:
        teacher_files(),


rule students:
    input:
        weight_files(),


rule evaluation:
    input:
        rules.compare.output,


rule report:
    input:
        rules.render_report.output,
