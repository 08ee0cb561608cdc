import re
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]


def test_image_of_the_rule_graph_shows_every_rule():
    rules = "\n".join(file.read_text() for file in (REPOSITORY / "rules").glob("*.smk"))
    drawn = re.findall(r"<text[^>]*>(\w+)</text>", (REPOSITORY / "docs/rulegraph.svg").read_text())
    # the graph is the demo's (snakemake --rulegraph | dot -Tsvg), which downloads nothing, tests no student across
    # datasets, has no competitors, chooses no images, has no local damage and embeds no dataset in parts
    elsewhere = {"retrieve_dataset", "predict_cross", "predict_images", "read_predictions", "train_on_chosen"}
    elsewhere |= {"score_damage", "plot_damage", "embed_shard", "gather_shards"}
    assert set(drawn) - {"all"} == set(re.findall(r"^rule (\w+):", rules, flags=re.MULTILINE)) - elsewhere


def test_every_rule_has_log_benchmark_message_threads_resources_and_environment():
    for file in (REPOSITORY / "rules").glob("*.smk"):
        for rule in re.split(r"^rule ", file.read_text(), flags=re.MULTILINE)[1:]:
            for directive in (
                "log:",
                "benchmark:",
                "message:",
                "threads:",
                "mem_mb=",
                "runtime=",
                "conda:",
                "code=code(",
            ):
                assert directive in rule, f"{file.name}: {rule.splitlines()[0]} {directive}"
            name = rule.split(":")[0]
            script = {"predict_cross": "predict", "embed_shard": "embed_patches"}.get(name, name)
            assert f'log_of("{name}")' in rule and f'benchmark_of("{name}")' in rule and f"/{script}.py" in rule
