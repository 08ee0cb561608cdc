# A teacher is trained once for all students that learn from it.
rule pretrain_teacher:
    input:
        images=reads("pretrain_teacher", "images"),
        splits=reads("pretrain_teacher", "splits"),
        patches=reads("pretrain_teacher", "patches"),
        references=reads("pretrain_teacher", "references"),
        weights_file=reads("pretrain_teacher", "weights_file"),
    output:
        weights=output("pretrain_teacher"),
        sidecar=output("pretrain_teacher", ".json"),
        history=output("pretrain_teacher", ".history.parquet"),
    log:
        log_of("pretrain_teacher"),
    benchmark:
        benchmark_of("pretrain_teacher")
    conda:
        "../envs/torch.yaml"
    threads: NETWORK_THREADS
    resources:
        gpu=GPU,
        mem_mb=memory_of_training("pretrain_teacher", "teacher"),
        runtime=growing(1440),
    params:
        teacher=given("pretrain_teacher", "teacher"),
        weights_file=given("pretrain_teacher", "weights_file"),
        sampler=given("pretrain_teacher", "sampler"),
        size=given("pretrain_teacher", "size"),
        split=given("pretrain_teacher", "split"),
        names=given("pretrain_teacher", "names"),
        seed=given("pretrain_teacher", "seed"),
        code=code("pretrain_teacher"),
    message:
        "Training teacher {wildcards.teacher} on {wildcards.sampler} patches of {wildcards.dataset} (split {wildcards.split})."
    script:
        "../workflow_scripts/pretrain_teacher.py"
