rule embed_patches:
    input:
        images="results/index_dataset/{dataset}.parquet",
        patches="results/sample_patches/{dataset}/{sampler}.parquet",
    output:
        embeddings="results/embed_patches/{dataset}/{sampler}/{encoder}.parquet",
    log:
        "results/logs/embed_patches/{dataset}/{sampler}/{encoder}.log",
    benchmark:
        "results/benchmarks/embed_patches/{dataset}/{sampler}/{encoder}.tsv"
    conda:
        "../envs/iqadistill.yaml"
    threads: 2
    resources:
        gpu=GPU,
        mem_mb=4000,
        runtime=480,
    params:
        encoder=settings("encoders", "encoder"),
        device=STUDY.device,
        code=code_digest("embed_patches"),
    message:
        "Embedding {wildcards.sampler} patches of {wildcards.dataset} with {wildcards.encoder}."
    script:
        "../workflow_scripts/embed_patches.py"
