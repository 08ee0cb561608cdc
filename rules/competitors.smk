# Students without patches: published methods that score whole images, and predictions of other tools.
rule predict_images:
    input:
        images=reads("predict_images", "images"),
        splits=reads("predict_images", "splits"),
        pristine=reads("predict_images", "pristine"),
    output:
        predictions=output("predict_images"),
        time=output("predict_images", ".json"),
    log:
        log_of("predict_images"),
    benchmark:
        benchmark_of("predict_images")
    conda:
        "../envs/torch.yaml"
    threads: 2
    resources:
        mem_mb=growing(4000),
        runtime=growing(720),
    params:
        name=given("predict_images", "name"),
        student=given("predict_images", "student"),
        code=code("predict_images"),
    message:
        "Scoring {wildcards.dataset} with {wildcards.student}, trained on every split."
    script:
        "../workflow_scripts/predict_images.py"


rule read_predictions:
    input:
        images=reads("read_predictions", "images"),
        splits=reads("read_predictions", "splits"),
        file=reads("read_predictions", "file"),
    output:
        predictions=output("read_predictions"),
    log:
        log_of("read_predictions"),
    benchmark:
        benchmark_of("read_predictions")
    localrule: True
    conda:
        "../envs/light.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        name=given("read_predictions", "name"),
        student=given("read_predictions", "student"),
        file_state=given("read_predictions", "file_state"),
        code=code("read_predictions"),
    message:
        "Reading the predictions of {wildcards.student} for {wildcards.dataset} from {input.file}."
    script:
        "../workflow_scripts/read_predictions.py"
