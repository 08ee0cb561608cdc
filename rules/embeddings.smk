rule embed_patches:
    input:
        images=reads("embed_patches", "images"),
        patches=reads("embed_patches", "patches"),
        weights_file=reads("embed_patches", "weights_file"),
    output:
        embeddings=output("embed_patches"),
        time=output("embed_patches", ".json"),
    log:
        log_of("embed_patches"),
    benchmark:
        benchmark_of("embed_patches")
    conda:
        "../envs/torch.yaml"
    threads: 2
    resources:
        gpu=GPU,
        mem_mb=growing(4000),
        runtime=growing(480),
    params:
        encoder=given("embed_patches", "encoder"),
        weights_file=given("embed_patches", "weights_file"),
        code=code("embed_patches"),
    message:
        "Embedding {wildcards.sampler} patches of {wildcards.dataset} with {wildcards.encoder}."
    script:
        "../workflow_scripts/embed_patches.py"
