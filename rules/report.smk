rule plot_metrics:
    input:
        images=reads("plot_metrics", "images"),
        summary=reads("plot_metrics", "summary"),
        distortions=reads("plot_metrics", "distortions"),
        comparisons=reads("plot_metrics", "comparisons"),
        costs=reads("plot_metrics", "costs"),
        histories=reads("plot_metrics", "histories"),
        choices=reads("plot_metrics", "choices"),
    output:
        svg="results/studies/{study}/figures/{experiment}.svg",
        png=report(
            "results/studies/{study}/figures/{experiment}.png",
            caption="captions/figure.rst",
            category="{study}",
            subcategory="{experiment}",
        ),
        csv="results/studies/{study}/tables/{experiment}.csv",
        parquet="results/studies/{study}/tables/{experiment}.parquet",
    log:
        log_of("plot_metrics"),
    benchmark:
        benchmark_of("plot_metrics")
    wildcard_constraints:
        experiment=wildcards_of("plot_metrics", "experiment"),
    localrule: True
    conda:
        "../envs/light.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(15),
    params:
        experiment=given("plot_metrics", "experiment"),
        looks=given("plot_metrics", "looks"),
        caption=given("plot_metrics", "caption"),
        datasets=given("plot_metrics", "datasets"),
        sources=given("plot_metrics", "sources"),
        margin=given("plot_metrics", "margin"),
        official=given("plot_metrics", "official"),
        code=code("plot_metrics"),
    message:
        "Drawing {wildcards.experiment}."
    script:
        "../workflow_scripts/plot_metrics.py"


rule plot_selection:
    input:
        images=reads("plot_selection", "images"),
        patches=reads("plot_selection", "patches"),
        embeddings=reads("plot_selection", "embeddings"),
        selections=reads("plot_selection", "selections"),
        traces=reads("plot_selection", "traces"),
    output:
        svg="results/studies/{study}/figures/{experiment}.svg",
        png=report(
            "results/studies/{study}/figures/{experiment}.png",
            caption="captions/figure.rst",
            category="{study}",
            subcategory="{experiment}",
        ),
        csv="results/studies/{study}/tables/{experiment}.csv",
        parquet="results/studies/{study}/tables/{experiment}.parquet",
    log:
        log_of("plot_selection"),
    benchmark:
        benchmark_of("plot_selection")
    wildcard_constraints:
        experiment=wildcards_of("plot_selection", "experiment"),
    localrule: True
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=growing(3000),
        runtime=growing(30),
    params:
        experiment=given("plot_selection", "experiment"),
        looks=given("plot_selection", "looks"),
        caption=given("plot_selection", "caption"),
        code=code("plot_selection"),
    message:
        "Drawing {wildcards.experiment}."
    script:
        "../workflow_scripts/plot_selection.py"


rule plot_budgets:
    input:
        images=reads("plot_budgets", "images"),
        budgets=reads("plot_budgets", "budgets"),
        budget_times=reads("plot_budgets", "budget_times"),
    output:
        svg="results/studies/{study}/figures/{experiment}.svg",
        png=report(
            "results/studies/{study}/figures/{experiment}.png",
            caption="captions/figure.rst",
            category="{study}",
            subcategory="{experiment}",
        ),
        csv="results/studies/{study}/tables/{experiment}.csv",
        parquet="results/studies/{study}/tables/{experiment}.parquet",
    log:
        log_of("plot_budgets"),
    benchmark:
        benchmark_of("plot_budgets")
    wildcard_constraints:
        experiment=wildcards_of("plot_budgets", "experiment"),
    localrule: True
    conda:
        "../envs/light.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(15),
    params:
        experiment=given("plot_budgets", "experiment"),
        looks=given("plot_budgets", "looks"),
        caption=given("plot_budgets", "caption"),
        datasets=given("plot_budgets", "datasets"),
        code=code("plot_budgets"),
    message:
        "Drawing {wildcards.experiment}."
    script:
        "../workflow_scripts/plot_budgets.py"


rule plot_damage:
    input:
        images=reads("plot_damage", "images"),
        patches=reads("plot_damage", "patches"),
        damage=reads("plot_damage", "damage"),
        damaged_patches=reads("plot_damage", "damaged_patches"),
    output:
        svg="results/studies/{study}/figures/{experiment}.svg",
        png=report(
            "results/studies/{study}/figures/{experiment}.png",
            caption="captions/figure.rst",
            category="{study}",
            subcategory="{experiment}",
        ),
        csv="results/studies/{study}/tables/{experiment}.csv",
        parquet="results/studies/{study}/tables/{experiment}.parquet",
    log:
        log_of("plot_damage"),
    benchmark:
        benchmark_of("plot_damage")
    wildcard_constraints:
        experiment=wildcards_of("plot_damage", "experiment"),
    localrule: True
    conda:
        "../envs/light.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(15),
    params:
        experiment=given("plot_damage", "experiment"),
        looks=given("plot_damage", "looks"),
        caption=given("plot_damage", "caption"),
        code=code("plot_damage"),
    message:
        "Drawing {wildcards.experiment}."
    script:
        "../workflow_scripts/plot_damage.py"


rule render_report:
    input:
        figures=reads("render_report", "figures"),
        tables=reads("render_report", "tables"),
        images=reads("render_report", "images"),
        summary=reads("render_report", "summary"),
        comparisons=reads("render_report", "comparisons"),
        costs=reads("render_report", "costs"),
        histories=reads("render_report", "histories"),
        official=reads("render_report", "official"),
        stability=reads("render_report", "stability"),
        verdicts=reads("render_report", "verdicts"),
        metrics=reads("render_report", "metrics"),
        splits=reads("render_report", "splits"),
    output:
        page=output("render_report"),
        summary="results/studies/{study}/report/summary.json",
    log:
        log_of("render_report"),
    benchmark:
        benchmark_of("render_report")
    localrule: True
    conda:
        "../envs/light.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(15),
    params:
        study=given("render_report", "study"),
        experiments=given("render_report", "experiments"),
        datasets=given("render_report", "datasets"),
        trained=given("render_report", "trained"),
        official=given("render_report", "official"),
        code=code("render_report"),
    message:
        "Writing the report {output.page}."
    script:
        "../workflow_scripts/render_report.py"
