# Every split, selector and keep rate of an MLP on one embedding table trains as one batched model.
rule train_mlps:
    input:
        images=reads("train_mlps", "images"),
        splits=reads("train_mlps", "splits"),
        embeddings=reads("train_mlps", "embeddings"),
        selections=reads("train_mlps", "selections"),
    output:
        weights=output("train_mlps"),
        sidecar=output("train_mlps", ".json"),
        history=output("train_mlps", ".history.parquet"),
    log:
        log_of("train_mlps"),
    benchmark:
        benchmark_of("train_mlps")
    conda:
        "../envs/torch.yaml"
    threads: 2
    resources:
        gpu=GPU,
        mem_mb=growing(4000),
        runtime=growing(720),
    params:
        student=given("train_mlps", "student"),
        sampler=given("train_mlps", "sampler"),
        encoder=given("train_mlps", "encoder"),
        selectors=given("train_mlps", "selectors"),
        variants=given("train_mlps", "variants"),
        names=given("train_mlps", "names"),
        seed=given("train_mlps", "seed"),
        code=code("train_mlps"),
    message:
        "Training {wildcards.student} on kept {wildcards.sampler} patches of {wildcards.dataset} ({wildcards.encoder})."
    script:
        "../workflow_scripts/train_mlps.py"


rule predict_mlps:
    input:
        images=reads("predict_mlps", "images"),
        embeddings=reads("predict_mlps", "embeddings"),
        selections=reads("predict_mlps", "selections"),
        patches=reads("predict_mlps", "patches"),
        weights=reads("predict_mlps", "weights"),
    output:
        predictions=output("predict_mlps"),
        time=output("predict_mlps", ".json"),
    log:
        log_of("predict_mlps"),
    benchmark:
        benchmark_of("predict_mlps")
    conda:
        "../envs/torch.yaml"
    threads: 2
    resources:
        gpu=GPU,
        mem_mb=growing(4000),
        runtime=growing(120),
    params:
        pooling=given("predict_mlps", "pooling"),
        test_patches=given("predict_mlps", "test_patches"),
        max_test_patches=given("predict_mlps", "max_test_patches"),
        seed=given("predict_mlps", "seed"),
        selectors=given("predict_mlps", "selectors"),
        names=given("predict_mlps", "names"),
        code=code("predict_mlps"),
    message:
        "Scoring {wildcards.dataset} with every {wildcards.student} trained on {wildcards.sampler} patches."
    script:
        "../workflow_scripts/predict_mlps.py"


# Patches of test images one by one, for experiments that score images from few of them.
rule predict_patches:
    input:
        images=reads("predict_patches", "images"),
        splits=reads("predict_patches", "splits"),
        embeddings=reads("predict_patches", "embeddings"),
        weights=reads("predict_patches", "weights"),
    output:
        scores=output("predict_patches"),
    log:
        log_of("predict_patches"),
    benchmark:
        benchmark_of("predict_patches")
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        gpu=GPU,
        mem_mb=growing(4000),
        runtime=growing(60),
    params:
        names=given("predict_patches", "names"),
        code=code("predict_patches"),
    message:
        "Scoring single {wildcards.sampler} patches of {wildcards.dataset} with {wildcards.student} ({wildcards.encoder})."
    script:
        "../workflow_scripts/predict_patches.py"


# What a selector of a primary comparison is ranked among: students trained on random rankings at the same keep rate.
rule train_random_draws:
    input:
        images=reads("train_random_draws", "images"),
        splits=reads("train_random_draws", "splits"),
        embeddings=reads("train_random_draws", "embeddings"),
        patches=reads("train_random_draws", "patches"),
    output:
        draws=output("train_random_draws"),
    log:
        log_of("train_random_draws"),
    benchmark:
        benchmark_of("train_random_draws")
    conda:
        "../envs/torch.yaml"
    threads: 2
    resources:
        gpu=GPU,
        mem_mb=growing(6000),
        runtime=growing(720),
    params:
        student=given("train_random_draws", "student"),
        names=given("train_random_draws", "names"),
        draws=given("train_random_draws", "draws"),
        pooling=given("train_random_draws", "pooling"),
        test_patches=given("train_random_draws", "test_patches"),
        max_test_patches=given("train_random_draws", "max_test_patches"),
        seed=given("train_random_draws", "seed"),
        code=code("train_random_draws"),
    message:
        "Training {wildcards.student} on random rankings of {wildcards.sampler} patches of {wildcards.dataset} ({wildcards.encoder})."
    script:
        "../workflow_scripts/train_random_draws.py"


# What ratings are worth: students trained on chosen training images, and on as many random ones.
rule train_on_chosen:
    input:
        images=reads("train_on_chosen", "images"),
        splits=reads("train_on_chosen", "splits"),
        embeddings=reads("train_on_chosen", "embeddings"),
        patches=reads("train_on_chosen", "patches"),
    output:
        choices=output("train_on_chosen"),
    log:
        log_of("train_on_chosen"),
    benchmark:
        benchmark_of("train_on_chosen")
    conda:
        "../envs/torch.yaml"
    threads: 2
    resources:
        gpu=GPU,
        mem_mb=growing(6000),
        runtime=growing(720),
    params:
        student=given("train_on_chosen", "student"),
        names=given("train_on_chosen", "names"),
        splits=given("train_on_chosen", "splits"),
        budgets=given("train_on_chosen", "budgets"),
        choosers=given("train_on_chosen", "choosers"),
        draws=given("train_on_chosen", "draws"),
        pooling=given("train_on_chosen", "pooling"),
        max_test_patches=given("train_on_chosen", "max_test_patches"),
        seed=given("train_on_chosen", "seed"),
        code=code("train_on_chosen"),
    message:
        "Training {wildcards.student} on chosen images of {wildcards.dataset} ({wildcards.sampler}, {wildcards.encoder})."
    script:
        "../workflow_scripts/train_on_chosen.py"


rule train_student:
    input:
        images=reads("train_student", "images"),
        splits=reads("train_student", "splits"),
        patches=reads("train_student", "patches"),
        selection=reads("train_student", "selection"),
        teachers=reads("train_student", "teachers"),
        teacher_sidecars=reads("train_student", "teacher_sidecars"),
        references=reads("train_student", "references"),
        weights_file=reads("train_student", "weights_file"),
    output:
        weights=output("train_student"),
        sidecar=output("train_student", ".json"),
        history=output("train_student", ".history.parquet"),
    log:
        log_of("train_student"),
    benchmark:
        benchmark_of("train_student")
    conda:
        "../envs/torch.yaml"
    threads: NETWORK_THREADS
    resources:
        gpu=GPU,
        mem_mb=memory_of_training("train_student", "student"),
        runtime=growing(1440),
    params:
        student=given("train_student", "student"),
        weights_file=given("train_student", "weights_file"),
        sampler=given("train_student", "sampler"),
        size=given("train_student", "size"),
        teachers=given("train_student", "teachers"),
        reference_patches=given("train_student", "reference_patches"),
        names=given("train_student", "names"),
        seed=given("train_student", "seed"),
        code=code("train_student"),
    message:
        "Training {wildcards.student} on {wildcards.sampler} patches of {wildcards.dataset} ({wildcards.selector}, keep {wildcards.keep}, split {wildcards.split})."
    script:
        "../workflow_scripts/train_student.py"


rule predict:
    input:
        images=reads("predict", "images"),
        patches=reads("predict", "patches"),
        selection=reads("predict", "selection"),
        weights=reads("predict", "weights"),
        sidecar=reads("predict", "sidecar"),
    output:
        predictions=output("predict"),
        time=output("predict", ".json"),
    log:
        log_of("predict"),
    benchmark:
        benchmark_of("predict")
    conda:
        "../envs/torch.yaml"
    threads: NETWORK_THREADS
    resources:
        gpu=GPU,
        mem_mb=growing(4000),
        runtime=growing(240),
    params:
        pooling=given("predict", "pooling"),
        test_patches=given("predict", "test_patches"),
        max_test_patches=given("predict", "max_test_patches"),
        seed=given("predict", "seed"),
        flip=given("predict", "flip"),
        code=code("predict"),
    message:
        "Scoring {wildcards.dataset} with {wildcards.student} ({wildcards.selector}, keep {wildcards.keep}, split {wildcards.split})."
    script:
        "../workflow_scripts/predict.py"


rule predict_cross:
    input:
        images=reads("predict_cross", "images"),
        patches=reads("predict_cross", "patches"),
        selection=reads("predict_cross", "selection"),
        weights=reads("predict_cross", "weights"),
        sidecar=reads("predict_cross", "sidecar"),
    output:
        predictions=output("predict_cross"),
        time=output("predict_cross", ".json"),
    log:
        log_of("predict_cross"),
    benchmark:
        benchmark_of("predict_cross")
    conda:
        "../envs/torch.yaml"
    threads: NETWORK_THREADS
    resources:
        gpu=GPU,
        mem_mb=growing(4000),
        runtime=growing(240),
    params:
        pooling=given("predict_cross", "pooling"),
        test_patches=given("predict_cross", "test_patches"),
        max_test_patches=given("predict_cross", "max_test_patches"),
        seed=given("predict_cross", "seed"),
        flip=given("predict_cross", "flip"),
        code=code("predict_cross", "predict"),
    message:
        "Scoring {wildcards.tested} with {wildcards.student} of {wildcards.dataset} ({wildcards.selector}, keep {wildcards.keep}, split {wildcards.split})."
    script:
        "../workflow_scripts/predict.py"
