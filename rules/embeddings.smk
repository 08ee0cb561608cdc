rule embed_patches:
    input:
        images=reads("embed_patches", "images"),
        patches=reads("embed_patches", "patches"),
        weights_file=reads("embed_patches", "weights_file"),
    output:
        embeddings=output("embed_patches"),
        time=output("embed_patches", ".json"),
    log:
        log_of("embed_patches"),
    benchmark:
        benchmark_of("embed_patches")
    conda:
        "../envs/torch.yaml"
    threads: 2
    resources:
        gpu=GPU,
        mem_mb=growing(4000),
        runtime=growing(480),
    params:
        encoder=given("embed_patches", "encoder"),
        weights_file=given("embed_patches", "weights_file"),
        code=code("embed_patches"),
    message:
        "Embedding {wildcards.sampler} patches of {wildcards.dataset} with {wildcards.encoder}."
    script:
        "../workflow_scripts/embed_patches.py"


# Where a dataset has shards, a job for each part of its patches, and one that gathers what they embedded.
rule embed_shard:
    input:
        images=reads("embed_shard", "images"),
        patches=reads("embed_shard", "patches"),
        weights_file=reads("embed_shard", "weights_file"),
    output:
        embeddings=temp(output("embed_shard")),
        time=temp(output("embed_shard", ".json")),
    log:
        log_of("embed_shard"),
    benchmark:
        benchmark_of("embed_shard")
    conda:
        "../envs/torch.yaml"
    threads: 2
    resources:
        gpu=GPU,
        mem_mb=growing(4000),
        runtime=growing(480),
    params:
        encoder=given("embed_shard", "encoder"),
        weights_file=given("embed_shard", "weights_file"),
        number=given("embed_shard", "number"),
        shards=given("embed_shard", "shards"),
        code=code("embed_shard", "embed_patches"),
    message:
        "Embedding {wildcards.sampler} patches of {wildcards.dataset} with {wildcards.encoder}, part {wildcards.shard}."
    script:
        "../workflow_scripts/embed_patches.py"


# The same path as that of embed_patches, of the tables that are embedded in parts.
rule gather_shards:
    input:
        patches=reads("gather_shards", "patches"),
        shards=reads("gather_shards", "shards"),
        times=reads("gather_shards", "times"),
    output:
        embeddings=output("gather_shards"),
        time=output("gather_shards", ".json"),
    log:
        log_of("gather_shards"),
    benchmark:
        benchmark_of("gather_shards")
    wildcard_constraints:
        table=wildcards_of("gather_shards", "table"),
    conda:
        "../envs/light.yaml"
    threads: 1
    resources:
        mem_mb=memory_of_gathering,
        runtime=growing(60),
    params:
        encoder=given("gather_shards", "encoder"),
        weights_file=given("gather_shards", "weights_file"),
        code=code("gather_shards"),
        embedding_code=code("gather_shards", "embed_patches"),
    message:
        "Gathering the embeddings {wildcards.table}."
    script:
        "../workflow_scripts/gather_shards.py"


# Tables that are not embedded in parts match embed_patches alone.
ruleorder: gather_shards > embed_patches
