rule sample_patches:
    input:
        images="results/index_dataset/{dataset}.parquet",
    output:
        patches="results/sample_patches/{dataset}/{sampler}.parquet",
    log:
        "results/logs/sample_patches/{dataset}/{sampler}.log",
    benchmark:
        "results/benchmarks/sample_patches/{dataset}/{sampler}.tsv"
    conda:
        "../envs/iqadistill.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        sampler=settings("samplers", "sampler"),
        seed=STUDY.seed,
        code=code_digest("sample_patches"),
    message:
        "Placing {wildcards.sampler} patches on {wildcards.dataset}."
    script:
        "../workflow_scripts/sample_patches.py"
