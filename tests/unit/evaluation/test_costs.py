import json

import numpy as np
import pytest

from iqadistill.errors import InputError
from iqadistill.evaluation.costs import collect_costs
from iqadistill.evaluation.scoring_time import write_scoring_time
from iqadistill.report.tables import cost_table
from iqadistill.tables import as_table

BENCHMARK = "s\th:m:s\tmax_rss\tcpu_time\n{seconds}\t0:00:01\t{megabytes}\t{cpu}\n"


@pytest.fixture
def job(tmp_path):
    """A function that writes the benchmark file of a job as Snakemake does, memory in MiB, and returns the job."""

    def build(rule="embed_patches", megabytes="900.0", seconds="2.5", cpu="2.0", **names):
        benchmark = tmp_path / f"{rule}-{len(list(tmp_path.iterdir()))}.tsv"
        benchmark.write_text(BENCHMARK.format(seconds=seconds, megabytes=megabytes, cpu=cpu))
        return {"rule": rule, "names": names, "benchmark": str(benchmark), "sidecar": None}

    return build


def test_report_shows_memory_in_megabytes(job):
    costs = as_table(collect_costs([job(megabytes="900.0"), job(megabytes="100.0")]), "costs").to_pandas()
    assert costs.max_rss.max() == 900 * 2**20
    table = cost_table(costs)
    assert table.columns[4] == "peak memory (MB)"
    assert [row[4] for row in table.rows] == ["900", "900"]


def test_names_of_a_job_are_stored_as_sorted_json(job):
    (row,) = collect_costs([job(sampler="erp", dataset="own")]).to_dict("records")
    assert row["wildcards"] == '{"dataset": "own", "sampler": "erp"}'
    assert (row["rule"], row["seconds"], row["cpu_seconds"]) == ("embed_patches", 2.5, 2.0)


def test_last_run_of_a_job_counts_and_unmeasured_costs_are_missing(job, tmp_path):
    measured = job(megabytes="-", cpu="-")
    with open(measured["benchmark"], "a") as file:
        file.write("7.5\t0:00:07\t-\t-\n")
    (row,) = collect_costs([measured]).to_dict("records")
    assert row["seconds"] == 7.5
    assert np.isnan(row["max_rss"]) and np.isnan(row["cpu_seconds"])


def test_cost_of_a_deep_network_comes_from_its_sidecar(job, tmp_path):
    sidecar = tmp_path / "student.json"
    facts = {"version": 2, "kind": "student", "variant": {}, "settings": {}, "sampler": {}, "seed": 0}
    facts |= {"versions": {}, "git_commit": "", "inputs": {}}
    facts["cost"] = {"parameters": 4_000_000, "flops": 2_000_000_000, "max_vram": 3e9}
    sidecar.write_text(json.dumps(facts))
    (row,) = collect_costs([{**job("train_student"), "sidecar": str(sidecar)}]).to_dict("records")
    assert (row["parameters"], row["flops"], row["max_vram"]) == (4e6, 2e9, 3e9)
    sidecar.write_text(json.dumps({**facts, "cost": None}))
    table = as_table(collect_costs([{**job("train_mlps"), "sidecar": str(sidecar)}]), "costs")
    assert table["flops"].null_count == 1


def test_time_of_scoring_is_that_of_one_pass(job, tmp_path):
    sidecar = tmp_path / "predictions.json"
    write_scoring_time(sidecar, 12.0, images=20, patches=200, passes=3)
    costs = collect_costs([{**job("predict"), "sidecar": str(sidecar)}, job("select_patches")])
    row, other = as_table(costs, "costs").to_pandas().to_dict("records")
    assert (row["scored_images"], row["scored_patches"], row["scoring_seconds"]) == (20, 200, 4.0)
    assert np.isnan(other["scoring_seconds"])


def test_missing_benchmark_file_is_named(job):
    with pytest.raises(InputError, match=r"absent\.tsv"):
        collect_costs([{**job(), "benchmark": "absent.tsv"}])


@pytest.mark.parametrize("damage", ["", "s\th:m:s\n", "\0\0\0"])
def test_damaged_files_are_named(job, tmp_path, damage):
    whole = job("predict")
    broken = tmp_path / "broken.tsv"
    broken.write_text(damage)
    with pytest.raises(InputError, match=r"broken\.tsv: not a benchmark file; run its job again"):
        collect_costs([{**whole, "benchmark": str(broken)}])
    (tmp_path / "broken.json").write_text(f"{{{damage}")
    with pytest.raises(InputError, match=r"broken\.json: not valid JSON .* delete it and run its stage again"):
        collect_costs([{**whole, "sidecar": str(tmp_path / "broken.json")}])
