rule plot_metrics:
    input:
        images=expand(
            "results/index_dataset/{dataset}.parquet", dataset=shown_datasets()
        ),
        summary=rules.evaluate.output.summary,
        comparisons=rules.compare.output.comparisons,
        costs=rules.collect_costs.output.costs,
        histories=history_files(),
    output:
        multiext(f"{FOLDER}/figures/{{experiment}}", svg=".svg", png=".png"),
        multiext(f"{FOLDER}/tables/{{experiment}}", csv=".csv", parquet=".parquet"),
    log:
        f"results/logs/plot_metrics/{STUDY.name}/{{experiment}}.log",
    benchmark:
        f"results/benchmarks/plot_metrics/{STUDY.name}/{{experiment}}.tsv"
    wildcard_constraints:
        experiment="|".join(METRIC_EXPERIMENTS),
    conda:
        "../envs/iqadistill.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=15,
    params:
        experiment=lambda w: json.dumps(experiment_facts(EXPERIMENTS[w.experiment])),
        code=code_digest("plot_metrics"),
    message:
        "Drawing {wildcards.experiment}."
    script:
        "../workflow_scripts/plot_metrics.py"


rule plot_selection:
    input:
        images=experiment_cell_files("results/index_dataset/{dataset}.parquet"),
        patches=experiment_cell_files(
            "results/sample_patches/{dataset}/{sampler}.parquet"
        ),
        embeddings=experiment_cell_files(
            "results/embed_patches/{dataset}/{sampler}/{encoder}.parquet"
        ),
        selections=lambda w: experiment_selections(EXPERIMENTS[w.experiment]),
        traces=experiment_traces,
    output:
        multiext(f"{FOLDER}/figures/{{experiment}}", svg=".svg", png=".png"),
        multiext(f"{FOLDER}/tables/{{experiment}}", csv=".csv", parquet=".parquet"),
    log:
        f"results/logs/plot_selection/{STUDY.name}/{{experiment}}.log",
    benchmark:
        f"results/benchmarks/plot_selection/{STUDY.name}/{{experiment}}.tsv"
    wildcard_constraints:
        experiment="|".join(SELECTION_EXPERIMENTS) or "none",
    conda:
        "../envs/iqadistill.yaml"
    threads: 1
    resources:
        mem_mb=3000,
        runtime=30,
    params:
        experiment=lambda w: json.dumps(experiment_facts(EXPERIMENTS[w.experiment])),
        code=code_digest("plot_selection"),
    message:
        "Drawing {wildcards.experiment}."
    script:
        "../workflow_scripts/plot_selection.py"


rule render_report:
    input:
        figures=expand(f"{FOLDER}/figures/{{experiment}}.png", experiment=EXPERIMENTS),
        tables=expand(f"{FOLDER}/tables/{{experiment}}.parquet", experiment=EXPERIMENTS),
        images=expand(
            "results/index_dataset/{dataset}.parquet", dataset=shown_datasets()
        ),
        summary=rules.evaluate.output.summary,
        comparisons=rules.compare.output.comparisons,
        costs=rules.collect_costs.output.costs,
    output:
        page=f"{FOLDER}/report/index.html",
    log:
        f"results/logs/render_report/{STUDY.name}.log",
    benchmark:
        f"results/benchmarks/render_report/{STUDY.name}.tsv"
    conda:
        "../envs/iqadistill.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=15,
    params:
        study=STUDY.model_dump_json(),
        experiments=json.dumps([experiment_facts(e) for e in STUDY.experiments]),
        code=code_digest("render_report"),
    message:
        "Writing the report {output.page}."
    script:
        "../workflow_scripts/render_report.py"
