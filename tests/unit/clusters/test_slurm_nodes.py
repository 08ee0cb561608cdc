"""What sinfo says of a cluster, and what it says when it does not say it."""

import math

import pytest

from iqadistill.clusters import slurm
from iqadistill.clusters.slurm import Nodes, cards_of, read_nodes
from iqadistill.errors import InputError


@pytest.fixture
def sinfo(tmp_path, monkeypatch):
    """A function that puts a sinfo of some shell commands first on PATH, and the file of its arguments and defaults."""

    def install(commands: str):
        seen = tmp_path / "seen"
        program = tmp_path / "sinfo"
        program.write_text(f'#!/bin/sh\necho "$* [$SINFO_PARTITION]" > {seen}\n{commands}\n')
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
        return seen

    return install


def nodes_of(sinfo, *lines: str) -> list[Nodes]:
    """Nodes of a sinfo that prints some lines."""
    sinfo("cat <<'END'\n" + "\n".join(lines) + "\nEND")
    return read_nodes()


def test_every_partition_is_asked_for_whatever_the_user_has_set(sinfo, monkeypatch):
    monkeypatch.setenv("SINFO_PARTITION", "mine")
    seen = sinfo("echo 'main*|up|idle|2|UNLIMITED|32000|2-00:00:00|gpu:2'")
    (kind,) = read_nodes()
    assert kind == Nodes("main", True, 2, 32000, 2880, {"": 2})
    assert "--all" in seen.read_text() and "[]" in seen.read_text()


def test_partitions_states_and_default(sinfo):
    short, long, drained, silent, closed = nodes_of(
        sinfo,
        "short*|up|mixed|64|UNLIMITED|512000|4:00:00|(null)",
        "long|up|idle~|128|UNLIMITED|1024000|infinite|gpu:a100:4(S:0-1)",
        "long|up|drained|32|UNLIMITED|256000|infinite|(null)",
        "long|up|idle*|32|UNLIMITED|256000|infinite|(null)",
        "closed|inact|idle|32|UNLIMITED|256000|infinite|(null)",
    )
    assert (short.partition, short.default, short.minutes, short.up) == ("short", True, 240, True)
    assert (long.partition, long.default, long.minutes, long.up) == ("long", False, math.inf, True)
    assert not drained.up and not silent.up and not closed.up


@pytest.mark.parametrize(
    "state", ["down", "down*", "draining", "drained*", "fail", "failing", "unknown", "maint", "DRAINED", "n/a"]
)
def test_states_in_which_no_job_starts(state, sinfo):
    (kind,) = nodes_of(sinfo, f"main*|up|{state}|2|UNLIMITED|32000|infinite|(null)")
    assert not kind.up


@pytest.mark.parametrize("state", ["idle", "mixed", "allocated", "idle~", "idle#", "completing", "reserved", "planned"])
def test_states_in_which_jobs_start_or_wait_for_others_to_end(state, sinfo):
    (kind,) = nodes_of(sinfo, f"main*|up|{state}|2|UNLIMITED|32000|infinite|(null)")
    assert kind.up


@pytest.mark.parametrize(
    ("limit", "minutes"),
    [
        ("30:00", 30),
        ("1:30", 1.5),
        ("12:00:00", 720),
        ("1-00:00:00", 1440),
        ("14-12:30:00", 20910),
        ("infinite", math.inf),
        ("UNLIMITED", math.inf),
        ("n/a", math.inf),
        ("", math.inf),
    ],
)
def test_limits_of_time(limit, minutes, sinfo):
    (kind,) = nodes_of(sinfo, f"main*|up|idle|2|UNLIMITED|32000|{limit}|(null)")
    assert kind.minutes == minutes


@pytest.mark.parametrize(
    ("resources", "cards"),
    [
        ("(null)", {}),
        ("", {}),
        ("gpu", {"": 1}),
        ("gpu:4", {"": 4}),
        ("gpu:a100:4(S:0-1)", {"a100": 4}),
        ("gpu:a100:2(S:0,2),gpu:a100:2(S:1,3)", {"a100": 4}),
        ("gpu:v100:2(S:0),gpu:a100:1(S:1),gpu:3", {"v100": 2, "a100": 1, "": 3}),
        ("gpu:a100_1g.5gb:7(S:0)", {"a100_1g.5gb": 7}),
        ("gpu:h100:no_consume:8", {"h100": 8}),
        ("shard:16,gpu_mem:80G,craynetwork:4,license:no", {}),
    ],
)
def test_cards_of_generic_resources(resources, cards, sinfo):
    (kind,) = nodes_of(sinfo, f"main*|up|idle|2|UNLIMITED|32000|infinite|{resources}")
    assert kind.cards == cards


def test_cards_that_a_job_asks_for_as_generic_resources():
    assert cards_of("gpu:a100:2") == (2, "a100")
    assert cards_of("gpu:2") == (2, "")
    assert cards_of("gpu") == (1, "")
    assert cards_of("shard:4") == cards_of("") == (0, "")


@pytest.mark.parametrize(
    ("cores", "most", "memory", "expected"),
    [
        ("64", "UNLIMITED", "257000", (64, 257000)),
        ("64+", "UNLIMITED", "257000+", (64, 257000)),
        ("64", "48", "257000", (48, 257000)),  # MaxCPUsPerNode: the rest is kept for jobs of another partition
        ("1.5K", "UNLIMITED", "250G", (1536, 250 * 2**30)),
        ("64", "UNLIMITED", "1", (64, math.inf)),  # what SLURM assumes where the configuration states no memory
        ("n/a", "n/a", "n/a", (math.inf, math.inf)),
    ],
)
def test_cores_and_memory(cores, most, memory, expected, sinfo):
    (kind,) = nodes_of(sinfo, f"main*|up|idle|{cores}|{most}|{memory}|infinite|(null)")
    assert (kind.cores, kind.megabytes) == expected


def test_lines_of_another_kind_are_passed_over(sinfo):
    kinds = nodes_of(sinfo, "Maintenance on Monday | see the web page", "", "main*|up|idle|2|2|900|infinite|(null)")
    assert [kind.partition for kind in kinds] == ["main"]


def test_no_slurm_here(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert read_nodes() is None


def test_sinfo_that_fails_hangs_or_lists_nothing_is_one_sentence(sinfo, monkeypatch, tmp_path):
    sinfo("echo 'slurm_load_partitions: Unable to contact slurm controller' >&2; exit 1")
    with pytest.raises(InputError, match=r"^sinfo failed \(slurm_load_partitions: Unable to contact.*controller is up"):
        read_nodes()
    sinfo("exec sleep 5")
    monkeypatch.setattr(slurm, "SECONDS", 0.1)
    with pytest.raises(InputError, match=r"sinfo did not answer within 0\.1 s"):
        read_nodes()
    monkeypatch.undo()
    sinfo("echo PARTITION AVAIL")
    with pytest.raises(InputError, match="sinfo lists no partition, it printed PARTITION AVAIL; ask"):
        read_nodes()
    sinfo("true")
    with pytest.raises(InputError, match="it printed nothing"):
        read_nodes()
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "sinfo").write_text("no program\n")
    with pytest.raises(InputError, match=r"sinfo cannot be started \(Exec format error\)"):
        read_nodes()
