rule select_patches:
    input:
        embeddings=reads("select_patches", "embeddings"),
        patches=reads("select_patches", "patches"),
        images=reads("select_patches", "images"),
    output:
        selection=output("select_patches"),
        trace=output("select_patches", ".trace.parquet"),
    log:
        log_of("select_patches"),
    benchmark:
        benchmark_of("select_patches")
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=growing(3000),
        runtime=growing(240),
    params:
        selector=given("select_patches", "selector"),
        seed=given("select_patches", "seed"),
        code=code("select_patches"),
    message:
        "Ranking {wildcards.sampler} patches of {wildcards.dataset} ({wildcards.encoder}) by {wildcards.selector}."
    script:
        "../workflow_scripts/select_patches.py"
