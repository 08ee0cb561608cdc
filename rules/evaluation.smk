rule evaluate:
    input:
        images=reads("evaluate", "images"),
        splits=reads("evaluate", "splits"),
        predictions=reads("evaluate", "predictions"),
    output:
        metrics=output("evaluate"),
        predictions="results/studies/{study}/predictions.parquet",
        summary="results/studies/{study}/summary.parquet",
        distortions="results/studies/{study}/distortions.parquet",
        official="results/studies/{study}/official.parquet",
        stability="results/studies/{study}/stability.parquet",
    log:
        log_of("evaluate"),
    benchmark:
        benchmark_of("evaluate")
    conda:
        "../envs/light.yaml"
    threads: 2
    resources:
        mem_mb=growing(4000),
        runtime=growing(120),
    params:
        datasets=given("evaluate", "datasets"),
        tested=given("evaluate", "tested"),
        official=given("evaluate", "official"),
        logistic=given("evaluate", "logistic"),
        draws=given("evaluate", "draws"),
        seed=given("evaluate", "seed"),
        code=code("evaluate"),
    message:
        "Evaluating every variant on its test images."
    script:
        "../workflow_scripts/evaluate.py"


rule compare:
    input:
        images=reads("compare", "images"),
        splits=reads("compare", "splits"),
        metrics=reads("compare", "metrics"),
        predictions=reads("compare", "predictions"),
        random=reads("compare", "random"),
        drawn=reads("compare", "drawn"),
    output:
        comparisons=output("compare"),
        verdicts="results/studies/{study}/verdicts.parquet",
    log:
        log_of("compare"),
    benchmark:
        benchmark_of("compare")
    conda:
        "../envs/light.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(60),
    params:
        datasets=given("compare", "datasets"),
        tested=given("compare", "tested"),
        official=given("compare", "official"),
        logistic=given("compare", "logistic"),
        draws=given("compare", "draws"),
        seed=given("compare", "seed"),
        primary=given("compare", "primary"),
        margin=given("compare", "margin"),
        drawn=given("compare", "drawn"),
        code=code("compare"),
    message:
        "Deciding the primary comparisons, and testing all others in pairs."
    script:
        "../workflow_scripts/compare.py"


rule score_budgets:
    input:
        images=reads("score_budgets", "images"),
        splits=reads("score_budgets", "splits"),
        patches=reads("score_budgets", "patches"),
        embeddings=reads("score_budgets", "embeddings"),
        selections=reads("score_budgets", "selections"),
        scores=reads("score_budgets", "scores"),
    output:
        budgets=output("score_budgets"),
    log:
        log_of("score_budgets"),
    benchmark:
        benchmark_of("score_budgets")
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(60),
    params:
        selectors=given("score_budgets", "selectors"),
        weighted=given("score_budgets", "weighted"),
        students=given("score_budgets", "students"),
        official=given("score_budgets", "official"),
        seed=given("score_budgets", "seed"),
        margin=given("score_budgets", "margin"),
        code=code("score_budgets"),
    message:
        "Scoring test images from few of their patches, for {wildcards.experiment}."
    script:
        "../workflow_scripts/score_budgets.py"


# Not among the costs of a study: it scores a few images again, each alone, as a user would.
rule time_budgets:
    input:
        images=reads("time_budgets", "images"),
        patches=reads("time_budgets", "patches"),
        embeddings=reads("time_budgets", "embeddings"),
        weights=reads("time_budgets", "weights"),
        weights_file=reads("time_budgets", "weights_file"),
    output:
        times=output("time_budgets"),
    log:
        log_of("time_budgets"),
    benchmark:
        benchmark_of("time_budgets")
    conda:
        "../envs/torch.yaml"
    threads: 2
    resources:
        gpu=GPU,
        mem_mb=growing(4000),
        runtime=growing(30),
    params:
        names=given("time_budgets", "names"),
        selectors=given("time_budgets", "selectors"),
        encoders=given("time_budgets", "encoders"),
        students=given("time_budgets", "students"),
        seed=given("time_budgets", "seed"),
        code=code("time_budgets"),
    message:
        "Measuring the time to score an image from few of its patches, for {wildcards.experiment}."
    script:
        "../workflow_scripts/time_budgets.py"


rule score_damage:
    input:
        images=reads("score_damage", "images"),
        patches=reads("score_damage", "patches"),
        selections=reads("score_damage", "selections"),
        scores=reads("score_damage", "scores"),
    output:
        damage=output("score_damage"),
        damaged_patches=output("score_damage", ".patches.parquet"),
    log:
        log_of("score_damage"),
    benchmark:
        benchmark_of("score_damage")
    conda:
        "../envs/light.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(60),
    params:
        tables=given("score_damage", "tables"),
        students=given("score_damage", "students"),
        selectors=given("score_damage", "selectors"),
        official=given("score_damage", "official"),
        draws=given("score_damage", "draws"),
        seed=given("score_damage", "seed"),
        code=code("score_damage"),
    message:
        "Telling damaged patches from others, for {wildcards.experiment}."
    script:
        "../workflow_scripts/score_damage.py"


rule collect_costs:
    input:
        files=reads("collect_costs", "files"),
    output:
        costs=output("collect_costs"),
    log:
        log_of("collect_costs"),
    benchmark:
        benchmark_of("collect_costs")
    localrule: True
    conda:
        "../envs/light.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        jobs=given("collect_costs", "jobs"),
        code=code("collect_costs"),
    message:
        "Adding up the costs of every stage."
    script:
        "../workflow_scripts/collect_costs.py"
