rule retrieve_dataset:
    output:
        manifest="results/retrieve_dataset/{dataset}.json",
    log:
        "results/logs/retrieve_dataset/{dataset}.log",
    benchmark:
        "results/benchmarks/retrieve_dataset/{dataset}.tsv"
    conda:
        "../envs/iqadistill.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=1440,
    params:
        source=lambda w: STUDY.datasets[w.dataset].source,
        root=lambda w: user_folder(w.dataset),
        url=lambda w: STUDY.datasets[w.dataset].url,
        code=code_digest("retrieve_dataset"),
    message:
        "Getting the official files of {wildcards.dataset}."
    script:
        "../workflow_scripts/retrieve_dataset.py"


rule render_dataset:
    input:
        pristine_pictures,
    output:
        labels="results/render_dataset/{dataset}/images.csv",
    log:
        "results/logs/render_dataset/{dataset}.log",
    benchmark:
        "results/benchmarks/render_dataset/{dataset}.tsv"
    conda:
        "../envs/iqadistill.yaml"
    threads: 2
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        source=lambda w: STUDY.datasets[w.dataset].source,
        root=lambda w: user_folder(w.dataset),
        seed=STUDY.seed,
        code=code_digest("render_dataset"),
    message:
        "Rendering and distorting the pictures of {wildcards.dataset}."
    script:
        "../workflow_scripts/render_dataset.py"


rule index_dataset:
    input:
        labels=label_file,
        manifest=manifest,
    output:
        images="results/index_dataset/{dataset}.parquet",
    log:
        "results/logs/index_dataset/{dataset}.log",
    benchmark:
        "results/benchmarks/index_dataset/{dataset}.tsv"
    conda:
        "../envs/iqadistill.yaml"
    threads: 2
    resources:
        mem_mb=2000,
        runtime=120,
    params:
        source=lambda w: STUDY.datasets[w.dataset].source,
        root=lambda w: picture_folder(w.dataset),
        kind=lambda w: grid.dataset_kind(STUDY, w.dataset),
        score_range=lambda w: list(STUDY.datasets[w.dataset].score_range or []),
        on_error=lambda w: STUDY.datasets[w.dataset].on_error,
        min_size=lambda w: smallest_picture(w.dataset),
        record=lambda w: indexed_facts(w.dataset),
        code=code_digest("index_dataset"),
    message:
        "Checking every picture and score of {wildcards.dataset}."
    script:
        "../workflow_scripts/index_dataset.py"


rule split_dataset:
    input:
        images="results/index_dataset/{dataset}.parquet",
    output:
        splits="results/split_dataset/{dataset}.parquet",
        csv="results/split_dataset/{dataset}.csv",
    log:
        "results/logs/split_dataset/{dataset}.log",
    benchmark:
        "results/benchmarks/split_dataset/{dataset}.tsv"
    conda:
        "../envs/iqadistill.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        splits=STUDY.evaluation.splits,
        kinds=lambda w: list(STUDY.datasets[w.dataset].splits),
        test_fraction=STUDY.evaluation.test_fraction,
        val_fraction=STUDY.evaluation.val_fraction,
        seed=STUDY.seed,
        code=code_digest("split_dataset"),
    message:
        "Splitting {wildcards.dataset} by content."
    script:
        "../workflow_scripts/split_dataset.py"
