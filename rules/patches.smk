rule sample_patches:
    input:
        images=reads("sample_patches", "images"),
        files=reads("sample_patches", "files"),
    output:
        patches=output("sample_patches"),
    log:
        log_of("sample_patches"),
    benchmark:
        benchmark_of("sample_patches")
    priority: 1  # an image that does not fit stops the run before long work begins
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        sampler=given("sample_patches", "sampler"),
        files=given("sample_patches", "files"),
        seed=given("sample_patches", "seed"),
        code=code("sample_patches"),
    message:
        "Placing {wildcards.sampler} patches on {wildcards.dataset}."
    script:
        "../workflow_scripts/sample_patches.py"
