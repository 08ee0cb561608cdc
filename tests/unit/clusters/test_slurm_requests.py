"""What jobs ask for, compared with what nodes have: refused, delayed, or held at what the largest node has."""

import math
from types import SimpleNamespace

import pytest
from snakemake.resources import Resources

from iqadistill.clusters import jobs
from iqadistill.clusters.jobs import check_requests, request_of
from iqadistill.clusters.slurm import Nodes, Request, delays, largest, refusals
from iqadistill.errors import InputError

MAIN = Nodes("main", True, 2, 32000, 2880, {"": 2})
BIG = Nodes("big", False, 64, 512000, 1440, {"a100": 4})
FAT = Nodes("big", False, 128, 2048000, 1440, {})


def told(*nodes: Nodes, **asked: object) -> str:
    """The sentence on a request of train_student; empty if it is met."""
    return "\n".join(refusals([Request("train_student", **asked)], list(nodes)))


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        (
            {"cores": 8},
            "train_student asks for 8 cores, the nodes of partition main have 2: lower it with --set-threads "
            "train_student=2.",
        ),
        (
            {"megabytes": 64000},
            "train_student asks for 64000 MB, the nodes of partition main have 32000: lower it with --set-resources "
            "train_student:mem_mb=32000.",
        ),
        (
            {"cards": 3},
            "train_student asks for 3 GPU(s), the nodes of partition main have 2: choose another slurm_partition or "
            "gpu_model, lower gpu, or set device: cpu in the study.",
        ),
        (
            {"cards": 1, "model": "h100", "partition": "big"},
            "train_student asks for 1 h100 GPU(s), the nodes of partition big have 0: choose another slurm_partition "
            "or gpu_model, lower gpu, or set device: cpu in the study.",
        ),
        (
            {"minutes": 4320},
            "train_student asks for 4320 minutes, partition main allows 2880: lower it with --set-resources "
            "train_student:runtime=2880.",
        ),
        (
            {"cores": 128, "megabytes": 1000, "cards": 1, "minutes": 60, "partition": "big"},
            "train_student asks for 128 cores, 1000 MB, 1 GPU(s) and 60 minutes, and no node of partition big has all "
            "of them: lower one.",
        ),
        (
            {"partition": "gpu"},
            "train_student names partition gpu, which does not exist; set slurm_partition in the profile to one of: "
            "big, main.",
        ),
        (
            {"cores": 256, "partition": "main,big"},
            "train_student asks for 256 cores, the nodes of partition big or main have 128: lower it with "
            "--set-threads train_student=128.",
        ),
    ],
)
def test_what_no_node_has_is_one_sentence(asked, sentence):
    assert told(MAIN, BIG, FAT, **asked) == sentence


def test_what_a_node_has_is_not_refused():
    assert not told(MAIN, BIG, FAT, cores=2, megabytes=32000, minutes=2880, cards=2)
    assert not told(MAIN, BIG, FAT, cores=64, megabytes=512000, minutes=1440, cards=4, model="a100", partition="big")
    assert not told(MAIN, BIG, FAT, cores=64, partition="main, big")
    assert not told(MAIN, BIG, FAT, cores=64, partition="*")
    assert not told(Nodes("main", True, math.inf, math.inf, math.inf, {}), cores=999, megabytes=10**9, minutes=10**9)
    assert not told(MAIN._replace(up=False), cores=2)


def test_request_without_a_partition_needs_a_default_one():
    nodes = [MAIN._replace(default=False), BIG]
    assert told(*nodes) == (
        "train_student names no partition, and none is default; set slurm_partition in the profile to one of: "
        "big, main."
    )


def test_equal_requests_are_named_once():
    assert len(list(refusals([Request("predict", cores=8)] * 50 + [Request("embed", cores=8)], [MAIN]))) == 2


def test_what_waits_for_nodes_that_are_down_is_said():
    drained, requests = FAT._replace(up=False), [Request("embed_patches", cores=100, partition="big")]
    assert not list(refusals(requests, [BIG, drained])) and not list(delays(requests, [BIG, FAT]))
    assert list(delays(requests, [BIG, drained])) == [
        "Until nodes that are down or drained return, embed_patches asks for 100 cores, the nodes of partition big "
        "have 64: lower it with --set-threads embed_patches=64."
    ]
    down = [MAIN._replace(up=False)]
    assert list(delays([Request("predict"), Request("train_student", minutes=60)], down)) == [
        "No node of partition main is up: predict and whatever else goes there will wait for one."
    ]


def test_later_attempts_have_what_the_nodes_have_that_run_the_first():
    assert largest([Request("evaluate", megabytes=4000)], [MAIN, BIG]) == (32000, 2880)
    anywhere = Request("evaluate", partition="big")
    assert largest([anywhere], [BIG, FAT]) == (2048000, 1440)
    assert largest([anywhere, anywhere._replace(cards=1)], [BIG, FAT]) == (512000, 1440)
    assert largest([anywhere], [BIG, FAT._replace(up=False)]) == (512000, 1440)
    assert largest([anywhere], [FAT._replace(up=False)]) == (2048000, 1440)
    # the longer limit of time counts first, and memory that node does have
    short = FAT._replace(partition="short", minutes=60)
    assert largest([Request("evaluate", partition="big,short")], [BIG, short]) == (512000, 1440)
    assert largest([Request("evaluate", cores=999)], [MAIN]) == (math.inf, math.inf)


def test_resources_that_the_executor_reads():
    assert request_of("embed", {"_cores": 4, "mem_mb": 8000, "runtime": 60, "gpu": 2, "gpu_model": "a100"}) == Request(
        "embed", 4, 8000, 60, 2, "a100"
    )
    assert request_of("embed", {"_cores": 4, "cpus_per_task": 6, "mem_mb_per_cpu": 1000}).megabytes == 6000
    assert request_of("embed", {"_cores": 1, "gpu": 2, "cpus_per_gpu": 8}).cores == 16
    assert request_of("embed", {"_cores": 1, "gres": "gpu:v100:2"})[4:6] == (2, "v100")
    assert request_of("embed", {"_cores": 1, "gpu_model": "v100"})[4:6] == (1, "v100")
    assert request_of("embed", {"_cores": 1, "slurm_partition": 7}).partition == "7"
    assert request_of("embed", {"_cores": 1}, default_partition="*").partition == "*"


class OneRule:
    """A rule whose memory and time grow with the attempt, and its plan of one job.

    Attributes:
        resources: The rule's resources.
    """

    name, wildcards_dict, input, is_local = "train_student", {}, [], False

    def __init__(self, **resources: object):
        self.rule = self
        self.resources = Resources.from_mapping(
            {
                "mem_mb": lambda wildcards, attempt: attempt * 20000,
                "runtime": lambda wildcards, attempt: attempt * 1440,
                **resources,
            },
        )

    def expand_resources(self, wildcards, input, attempt, skip_evaluation=None):
        values = {
            name: entry.evaluate(wildcards, input=input, attempt=attempt, threads=1).value
            for name, entry in self.resources.items()
        }
        return {**values, "_cores": 1}

    def attempt(self, number: int) -> tuple[object, object]:
        """Memory and time at an attempt."""
        values = self.expand_resources({}, [], number)
        return values["mem_mb"], values["runtime"]


def started(
    rule: OneRule, nodes: list[Nodes] | None, monkeypatch, executor="slurm", partition_config=None
) -> list[str]:
    """Sentences that the start of a run with one job prints, where sinfo finds some nodes."""
    monkeypatch.setattr(jobs, "read_nodes", lambda: nodes)
    workflow = SimpleNamespace(
        remote_execution_settings=object(),
        executor_plugin=SimpleNamespace(name=executor),
        executor_settings=SimpleNamespace(partition_config=partition_config),
        dag=SimpleNamespace(needrun_jobs=lambda: [rule]),
    )
    return check_requests(workflow)


def test_later_attempts_are_held_at_the_largest_node_and_the_limit(monkeypatch):
    rule = OneRule()
    assert started(rule, [MAIN], monkeypatch) == []
    assert [rule.attempt(number) for number in (1, 2, 3)] == [(20000, 1440), (32000, 2880), (32000, 2880)]
    unlimited = OneRule()
    started(unlimited, [MAIN._replace(minutes=math.inf, megabytes=math.inf)], monkeypatch)
    assert unlimited.attempt(3) == (60000, 4320)
    other = OneRule()
    started(other, [MAIN], monkeypatch, executor="kubernetes")
    assert other.attempt(2) == (40000, 2880)


def test_resources_that_are_numbers_stay(monkeypatch):
    rule = OneRule(mem_mb=9000, runtime=60)
    started(rule, [MAIN], monkeypatch)
    assert rule.attempt(2) == (9000, 60)


def test_jobs_that_go_elsewhere_than_sinfo_shows_are_not_refused(monkeypatch):
    small = [MAIN._replace(minutes=60), BIG._replace(partition="big")]
    with pytest.raises(InputError, match=r"^Nothing was queued.*\ntrain_student asks for 1440 minutes, partition main"):
        started(OneRule(), small, monkeypatch)
    started(OneRule(slurm_cluster="other"), small, monkeypatch)
    started(OneRule(), small, monkeypatch, partition_config="partitions.yaml")
    monkeypatch.setenv("SNAKEMAKE_SLURM_PARTITIONS", "partitions.yaml")
    started(OneRule(), small, monkeypatch)


def test_slurm_that_is_not_installed_is_one_sentence(monkeypatch):
    with pytest.raises(InputError, match="sinfo is not installed here; run on a login node of the cluster"):
        started(OneRule(), None, monkeypatch)
    assert started(OneRule(), None, monkeypatch, executor="local") == []
