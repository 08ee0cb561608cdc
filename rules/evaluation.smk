rule evaluate:
    input:
        images=expand(
            "results/index_dataset/{dataset}.parquet", dataset=scored_datasets()
        ),
        splits=expand(
            "results/split_dataset/{dataset}.parquet", dataset=scored_datasets()
        ),
        predictions=prediction_files(),
    output:
        predictions=f"{FOLDER}/predictions.parquet",
        metrics=f"{FOLDER}/metrics.parquet",
        summary=f"{FOLDER}/summary.parquet",
    log:
        f"results/logs/evaluate/{STUDY.name}.log",
    benchmark:
        f"results/benchmarks/evaluate/{STUDY.name}.tsv"
    conda:
        "../envs/iqadistill.yaml"
    threads: 2
    resources:
        mem_mb=4000,
        runtime=120,
    params:
        logistic=STUDY.evaluation.logistic,
        draws=STUDY.evaluation.bootstrap,
        seed=STUDY.seed,
        code=code_digest("evaluate"),
    message:
        "Evaluating every variant on its test images."
    script:
        "../workflow_scripts/evaluate.py"


rule compare:
    input:
        splits=expand(
            "results/split_dataset/{dataset}.parquet", dataset=scored_datasets()
        ),
        metrics=rules.evaluate.output.metrics,
    output:
        comparisons=f"{FOLDER}/comparisons.parquet",
    log:
        f"results/logs/compare/{STUDY.name}.log",
    benchmark:
        f"results/benchmarks/compare/{STUDY.name}.tsv"
    conda:
        "../envs/iqadistill.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        code=code_digest("compare"),
    message:
        "Testing selectors, samplers and encoders in pairs."
    script:
        "../workflow_scripts/compare.py"


rule collect_costs:
    input:
        embedding_files(),
        all_selections(),
        teacher_files(),
        weight_files(),
        prediction_files(),
    output:
        costs=f"{FOLDER}/costs.parquet",
    log:
        f"results/logs/collect_costs/{STUDY.name}.log",
    benchmark:
        f"results/benchmarks/collect_costs/{STUDY.name}.tsv"
    conda:
        "../envs/iqadistill.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        code=code_digest("collect_costs"),
    message:
        "Adding up what every stage cost."
    script:
        "../workflow_scripts/collect_costs.py"
