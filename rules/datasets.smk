rule retrieve_dataset:
    output:
        manifest=output("retrieve_dataset"),
    log:
        log_of("retrieve_dataset"),
    benchmark:
        benchmark_of("retrieve_dataset")
    localrule: True
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(1440),
    params:
        name=given("retrieve_dataset", "name"),
        source=given("retrieve_dataset", "source"),
        root=given("retrieve_dataset", "root"),
        url=given("retrieve_dataset", "url"),
        archives=given("retrieve_dataset", "archives"),
        code=code("retrieve_dataset"),
    message:
        "Retrieving the official files of {params.name}."
    script:
        "../workflow_scripts/retrieve_dataset.py"


rule render_dataset:
    input:
        pristine=reads("render_dataset", "pristine"),
    output:
        labels=output("render_dataset"),
    log:
        log_of("render_dataset"),
    benchmark:
        benchmark_of("render_dataset")
    conda:
        "../envs/torch.yaml"
    threads: 2
    resources:
        mem_mb=growing(2000),
        runtime=growing(60),
    params:
        source=given("render_dataset", "source"),
        root=given("render_dataset", "root"),
        seed=given("render_dataset", "seed"),
        files=given("render_dataset", "files"),
        code=code("render_dataset"),
    message:
        "Rendering and distorting the images of {wildcards.files}."
    script:
        "../workflow_scripts/render_dataset.py"


rule index_dataset:
    input:
        labels=reads("index_dataset", "labels"),
        manifest=manifest_behind_index,
    output:
        images=output("index_dataset"),
    log:
        log_of("index_dataset"),
    benchmark:
        benchmark_of("index_dataset")
    priority: 1  # an image that does not fit stops the run before long work begins
    conda:
        "../envs/torch.yaml"
    threads: 2
    resources:
        mem_mb=growing(2000),
        runtime=growing(120),
    params:
        name=given("index_dataset", "name"),
        source=given("index_dataset", "source"),
        root=given("index_dataset", "root"),
        kind=given("index_dataset", "kind"),
        score_range=given("index_dataset", "score_range"),
        on_error=given("index_dataset", "on_error"),
        record=given("index_dataset", "record"),
        files=given("index_dataset", "files"),
        patches=given("index_dataset", "patches"),
        code=code("index_dataset"),
    message:
        "Checking every image and score of {params.name}."
    script:
        "../workflow_scripts/index_dataset.py"


rule split_dataset:
    input:
        images=reads("split_dataset", "images"),
    output:
        splits=output("split_dataset"),
        csv=output("split_dataset", ".csv"),
    log:
        log_of("split_dataset"),
    benchmark:
        benchmark_of("split_dataset")
    localrule: True
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        splits=given("split_dataset", "splits"),
        kinds=given("split_dataset", "kinds"),
        protocol=given("split_dataset", "protocol"),
        test_fraction=given("split_dataset", "test_fraction"),
        val_fraction=given("split_dataset", "val_fraction"),
        seed=given("split_dataset", "seed"),
        code=code("split_dataset"),
    message:
        "Splitting {wildcards.dataset} by content."
    script:
        "../workflow_scripts/split_dataset.py"
