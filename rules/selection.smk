rule select_patches:
    input:
        embeddings="results/embed_patches/{dataset}/{sampler}/{encoder}.parquet",
    output:
        selection="results/select_patches/{dataset}/{sampler}/{encoder}/{selector}.parquet",
        trace="results/select_patches/{dataset}/{sampler}/{encoder}/{selector}.trace.parquet",
    log:
        "results/logs/select_patches/{dataset}/{sampler}/{encoder}/{selector}.log",
    benchmark:
        "results/benchmarks/select_patches/{dataset}/{sampler}/{encoder}/{selector}.tsv"
    conda:
        "../envs/iqadistill.yaml"
    threads: 1
    resources:
        gpu=GPU,
        mem_mb=3000,
        runtime=240,
    params:
        selector=settings("selectors", "selector"),
        seed=STUDY.seed,
        device=STUDY.device,
        code=code_digest("select_patches"),
    message:
        "Ranking {wildcards.sampler} patches of {wildcards.dataset} ({wildcards.encoder}) by {wildcards.selector}."
    script:
        "../workflow_scripts/select_patches.py"
