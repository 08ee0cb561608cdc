# A teacher is trained once for all students that learn from it.
THIS_LESSON = LESSON.replace("results/pretrain_teacher/{study}", STUDY.name)


rule pretrain_teacher:
    input:
        images="results/index_dataset/{dataset}.parquet",
        splits="results/split_dataset/{dataset}.parquet",
        patches="results/sample_patches/{dataset}/{sampler}.parquet",
        published=published_weights,
        pristine=lambda w: pristine_files(this_lesson(w), w.teacher),
    output:
        weights=f"results/pretrain_teacher/{THIS_LESSON}.safetensors",
        sidecar=f"results/pretrain_teacher/{THIS_LESSON}.json",
        history=f"results/pretrain_teacher/{THIS_LESSON}.history.parquet",
    log:
        f"results/logs/pretrain_teacher/{THIS_LESSON}.log",
    benchmark:
        f"results/benchmarks/pretrain_teacher/{THIS_LESSON}.tsv"
    wildcard_constraints:
        split=rf"\d+|{lessons.EVERY_IMAGE}",
    conda:
        "../envs/iqadistill.yaml"
    threads: 2
    resources:
        gpu=GPU,
        mem_mb=8000,
        runtime=1440,
    params:
        recipe=lambda w: json.dumps(STUDY.teachers[w.teacher].recipe()),
        network=teacher_settings,
        pristine_patches=lambda w: getattr(
            STUDY.teachers[w.teacher], "pristine_patches", 0
        ),
        every_image=lambda w: w.split == lessons.EVERY_IMAGE,
        sampler=settings("samplers", "sampler"),
        seed=STUDY.seed,
        device=STUDY.device,
        code=code_digest("pretrain_teacher"),
    message:
        "Training teacher {wildcards.teacher} on {wildcards.sampler} patches of {wildcards.dataset} (split {wildcards.split})."
    script:
        "../workflow_scripts/pretrain_teacher.py"
