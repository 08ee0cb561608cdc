# All splits, selectors and keep rates of a sweep train together, as one batched model.
rule train_student:
    input:
        images="results/index_dataset/{dataset}.parquet",
        splits="results/split_dataset/{dataset}.parquet",
        embeddings="results/embed_patches/{dataset}/{sampler}/{encoder}.parquet",
        selections=this_sweep_selections,
    output:
        weights=f"results/train_student/{STUDY.name}/{{dataset}}/{{sampler}}/{{encoder}}/{{student}}.safetensors",
        sidecar=f"results/train_student/{STUDY.name}/{{dataset}}/{{sampler}}/{{encoder}}/{{student}}.json",
        history=f"results/train_student/{STUDY.name}/{{dataset}}/{{sampler}}/{{encoder}}/{{student}}.history.parquet",
    log:
        f"results/logs/train_student/{STUDY.name}/{{dataset}}/{{sampler}}/{{encoder}}/{{student}}.log",
    benchmark:
        f"results/benchmarks/train_student/{STUDY.name}/{{dataset}}/{{sampler}}/{{encoder}}/{{student}}.tsv"
    conda:
        "../envs/iqadistill.yaml"
    threads: 2
    resources:
        gpu=GPU,
        mem_mb=4000,
        runtime=720,
    params:
        student=settings("students", "student"),
        sampler=settings("samplers", "sampler"),
        encoder=settings("encoders", "encoder"),
        variants=lambda w: json.dumps(SWEEPS[this_sweep(w)]),
        seed=STUDY.seed,
        device=STUDY.device,
        code=code_digest("train_student"),
    message:
        "Training {wildcards.student} on kept {wildcards.sampler} patches of {wildcards.dataset} ({wildcards.encoder})."
    script:
        "../workflow_scripts/train_student.py"


rule predict:
    input:
        images="results/index_dataset/{dataset}.parquet",
        embeddings="results/embed_patches/{dataset}/{sampler}/{encoder}.parquet",
        selections=this_sweep_selections,
        weights=rules.train_student.output.weights,
    output:
        predictions=f"results/predict/{STUDY.name}/{{dataset}}/{{sampler}}/{{encoder}}/{{student}}.parquet",
    log:
        f"results/logs/predict/{STUDY.name}/{{dataset}}/{{sampler}}/{{encoder}}/{{student}}.log",
    benchmark:
        f"results/benchmarks/predict/{STUDY.name}/{{dataset}}/{{sampler}}/{{encoder}}/{{student}}.tsv"
    conda:
        "../envs/iqadistill.yaml"
    threads: 2
    resources:
        gpu=GPU,
        mem_mb=4000,
        runtime=120,
    params:
        pooling=STUDY.evaluation.pooling,
        test_patches=STUDY.evaluation.test_patches,
        device=STUDY.device,
        code=code_digest("predict"),
    message:
        "Scoring {wildcards.dataset} with every {wildcards.student} trained on {wildcards.sampler} patches."
    script:
        "../workflow_scripts/predict.py"


rule train_network:
    input:
        images="results/index_dataset/{dataset}.parquet",
        splits="results/split_dataset/{dataset}.parquet",
        patches="results/sample_patches/{dataset}/{sampler}.parquet",
        selection=this_selection,
        teachers=this_teachers(".safetensors"),
        teacher_sidecars=this_teachers(".json"),
        pristine=this_pristine,
    output:
        weights=f"results/train_network/{THIS_NETWORK}.safetensors",
        sidecar=f"results/train_network/{THIS_NETWORK}.json",
        history=f"results/train_network/{THIS_NETWORK}.history.parquet",
    log:
        f"results/logs/train_network/{THIS_NETWORK}.log",
    benchmark:
        f"results/benchmarks/train_network/{THIS_NETWORK}.tsv"
    conda:
        "../envs/iqadistill.yaml"
    threads: 2
    resources:
        gpu=GPU,
        mem_mb=8000,
        runtime=1440,
    params:
        recipe=lambda w: json.dumps(STUDY.students[w.student].recipe()),
        network=network_settings,
        teaching=teaching,
        sampler=settings("samplers", "sampler"),
        seed=STUDY.seed,
        device=STUDY.device,
        code=code_digest("train_network"),
    message:
        "Training {wildcards.student} on {wildcards.sampler} patches of {wildcards.dataset} ({wildcards.selector}, keep {wildcards.keep}, split {wildcards.split})."
    script:
        "../workflow_scripts/train_network.py"


rule predict_network:
    input:
        images="results/index_dataset/{dataset}.parquet",
        patches="results/sample_patches/{dataset}/{sampler}.parquet",
        selection=this_selection,
        weights=rules.train_network.output.weights,
        sidecar=rules.train_network.output.sidecar,
    output:
        predictions=f"results/predict_network/{THIS_NETWORK}.parquet",
    log:
        f"results/logs/predict_network/{THIS_NETWORK}.log",
    benchmark:
        f"results/benchmarks/predict_network/{THIS_NETWORK}.tsv"
    conda:
        "../envs/iqadistill.yaml"
    threads: 2
    resources:
        gpu=GPU,
        mem_mb=4000,
        runtime=240,
    params:
        pooling=STUDY.evaluation.pooling,
        test_patches=STUDY.evaluation.test_patches,
        device=STUDY.device,
        code=code_digest("predict_network"),
    message:
        "Scoring {wildcards.dataset} with {wildcards.student} ({wildcards.selector}, keep {wildcards.keep}, split {wildcards.split})."
    script:
        "../workflow_scripts/predict_network.py"


use rule predict_network as predict_elsewhere with:
    input:
        images="results/index_dataset/{tested}.parquet",
        patches="results/sample_patches/{tested}/{sampler}.parquet",
        selection=[],
        weights=rules.train_network.output.weights,
        sidecar=rules.train_network.output.sidecar,
    output:
        predictions=f"results/predict_elsewhere/{THIS_NETWORK}/{{tested}}.parquet",
    log:
        f"results/logs/predict_elsewhere/{THIS_NETWORK}/{{tested}}.log",
    benchmark:
        f"results/benchmarks/predict_elsewhere/{THIS_NETWORK}/{{tested}}.tsv"
    message:
        "Scoring {wildcards.tested} with {wildcards.student} of {wildcards.dataset} ({wildcards.selector}, keep {wildcards.keep}, split {wildcards.split})."
