"""The shipped profiles: keys that Snakemake and its plugins know, plans, and runs through a scheduler's commands."""

import os
import re
import subprocess
import sys
import threading
import tomllib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml
from snakemake.cli import get_argument_parser, parse_args

REPOSITORY = Path(__file__).parents[2]
INSTALLED = ("cluster-generic", "default", "slurm")  # profiles whose plugins are installed for tests
SUGGESTED = re.compile(r"^( *)# (?=[a-z0-9-]+:$|[a-z0-9-]+: \S+$|  +[a-z_]+:|  - |- \S+ +# SITE$)", re.MULTILINE)

# A scheduler that starts every job at once: a folder of JOBS holds what it asked for, its output and its exit status.
SCHEDULER = {
    "qsub": """\
job=$(mktemp -d "$JOBS/XXXXXX")
echo "$*" > "$job/asked"
for script; do :; done
sh -c 'sh "$1"; echo $? > "$2/status"' job "$script" "$job" > "$job/output" 2>&1 &
basename "$job"
""",
    "qstat": """\
for job; do :; done
if test ! -d "$JOBS/$job"; then echo "qstat: Unknown Job Id $job" >&2; exit 153
elif test -e "$JOBS/$job/status"; then echo "    job_state = F"; echo "    Exit_status = $(cat "$JOBS/$job/status")"
else echo "    job_state = R"; fi
""",
}
RETRIED = """
rule retried:
    output: "done"
    threads: 2
    resources:
        mem_mb=lambda wildcards, attempt: attempt * 1000,
        runtime=lambda wildcards, attempt: attempt * 90,
        gpu=1,
    shell: "if mkdir tried; then exit 1; fi; touch {output}"
"""

dry = pytest.mark.xdist_group("dry")


def with_suggestions(profile: str) -> str:
    """A profile whose entries that are commented out are set."""
    return SUGGESTED.sub(r"\1", (REPOSITORY / f"profiles/{profile}/config.yaml").read_text())


@pytest.mark.parametrize("profile", INSTALLED)
def test_every_key_of_a_profile_is_an_option_of_snakemake_or_a_plugin(profile, tmp_path, monkeypatch):
    (tmp_path / "config.yaml").write_text(with_suggestions(profile))
    keys = set(yaml.safe_load((tmp_path / "config.yaml").read_text()))
    options = {option for action in get_argument_parser()._actions for option in action.option_strings}
    assert {f"--{key}" for key in keys} <= options
    monkeypatch.chdir(REPOSITORY)
    _, parsed = parse_args(["--workflow-profile", str(tmp_path / "config.yaml")])
    assert parsed.executor == (None if profile == "default" else yaml.safe_load(with_suggestions(profile))["executor"])


def test_suggestions_of_profiles_are_found():
    suggested = {
        "slurm": {"set-resources", "slurm-status-command"},
        "kubernetes": {"kubernetes-persistent-volumes", "storage-s3-endpoint-url"},
    }
    for profile, keys in suggested.items():
        shipped = yaml.safe_load((REPOSITORY / f"profiles/{profile}/config.yaml").read_text())
        assert set(yaml.safe_load(with_suggestions(profile))) - set(shipped) == keys
    resources = yaml.safe_load(with_suggestions("slurm"))["default-resources"]
    assert {entry.split("=")[0] for entry in resources} == {"slurm_account", "slurm_partition", "mem_mb", "runtime"}


@dry
def test_cluster_generic_profile_plans_the_demo(shipped):
    planned = shipped.dry_run("--workflow-profile", "profiles/cluster-generic")
    assert planned.counts["render_report"] == 1
    assert all({"mem_mb", "runtime"} <= set(job.resources) for job in planned.jobs if job.rule != "all")


class EmptyBucket(BaseHTTPRequestHandler):
    """A storage with one bucket and nothing in it."""

    protocol_version = "HTTP/1.1"

    def do_HEAD(self):
        self.answer(404 if "/" in self.path.strip("/") else 200)

    def do_GET(self):
        self.answer(200, b"<ListBucketResult><Name>BUCKET</Name><IsTruncated>false</IsTruncated></ListBucketResult>")

    def answer(self, status: int, body: bytes = b"") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def empty_bucket(monkeypatch):
    """Address of a storage whose bucket is empty."""
    for name in ("ACCESS_KEY", "SECRET_KEY"):
        monkeypatch.setenv(f"SNAKEMAKE_STORAGE_S3_{name}", "none")
    server = ThreadingHTTPServer(("127.0.0.1", 0), EmptyBucket)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.whole  # installs packages; with them every start of Snakemake takes half a second longer
def test_kubernetes_profile_plans_a_study_with_its_results_in_the_bucket(workflow, empty_bucket, tmp_path_factory):
    packages, profile = tmp_path_factory.mktemp("packages"), tmp_path_factory.mktemp("profile") / "config.yaml"
    extra = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["optional-dependencies"]["kubernetes"]
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--target", packages]
    subprocess.run([*pip, "--constraint", REPOSITORY / "constraints.txt", *extra], check=True)
    profile.write_text(with_suggestions("kubernetes"))
    study = workflow.study(datasets={"gallery": {"source": "gallery2d"}})
    snakemake = [sys.executable, "-m", "snakemake", "--dry-run", "--workflow-profile", profile, "--configfile", study]
    planned = subprocess.run(
        [*snakemake, "--storage-s3-endpoint-url", empty_bucket],
        cwd=workflow.folder,
        env={**os.environ, "PYTHONPATH": f"{workflow.folder}{os.pathsep}{packages}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert planned.returncode == 0, planned.stdout
    assert re.search(r"^render_report +1$", planned.stdout, re.MULTILINE)
    outputs = re.findall(r"Missing output files: (\S+)", planned.stdout)
    assert outputs and all(file.startswith("s3://BUCKET/iqadistill/results/") for file in outputs)


@pytest.fixture
def scheduler(tmp_path_factory, monkeypatch):
    """Folder of the jobs of a scheduler whose commands come first on PATH."""
    folder = tmp_path_factory.mktemp("scheduler")
    (folder / "bin").mkdir()
    for name, commands in SCHEDULER.items():
        (folder / "bin" / name).write_text(f"#!/bin/sh\n{commands}")
        (folder / "bin" / name).chmod(0o755)
    (folder / "jobs").mkdir()
    monkeypatch.setenv("PATH", f"{folder}/bin", prepend=":")
    monkeypatch.setenv("JOBS", str(folder / "jobs"))
    return folder / "jobs"


def asked(jobs: Path) -> list[str]:
    """Options that jobs were submitted with."""
    return sorted(file.read_text().split(" -j oe")[0] for file in jobs.glob("*/asked"))


@pytest.mark.whole
def test_job_that_failed_is_submitted_again_with_more(tmp_path, scheduler):
    (tmp_path / "Snakefile").write_text(RETRIED)
    profile = ("--workflow-profile", REPOSITORY / "profiles/cluster-generic", "--seconds-between-status-checks", "1")
    subprocess.run([sys.executable, "-m", "snakemake", *profile], cwd=tmp_path, check=True)
    assert asked(scheduler) == [
        "-N retried -l select=1:ncpus=2:mem=1000mb:ngpus=1 -l walltime=1:30:00",
        "-N retried -l select=1:ncpus=2:mem=2000mb:ngpus=1 -l walltime=3:00:00",
    ]


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        ("echo '    job_state = Q'", "running"),
        ("echo '    job_state = E'", "running"),
        ("echo '    job_state = F'; echo '    Exit_status = 0'", "success"),
        ("echo '    job_state = C'; echo '    exit_status = 0'", "success"),  # TORQUE
        ("echo '    job_state = F'; echo '    Exit_status = -29'", "failed"),  # over its limit of time
        ("echo '    job_state = F'", "failed"),  # deleted before it started
        ("echo 'qstat: Unknown Job Id 7.server' >&2; exit 153", "success"),
        ("echo 'Connection refused' >&2; exit 111", "running"),
        ("true", "running"),
    ],
)
def test_status_of_a_job(answer, status, scheduler):
    (scheduler.parent / "bin/qstat").write_text(f"#!/bin/sh\n{answer}\n")
    script = REPOSITORY / "profiles/cluster-generic/status.py"
    assert subprocess.run([script, "7"], check=True, stdout=subprocess.PIPE, text=True).stdout == f"{status}\n"


def submitted(folder: Path, resources: str) -> subprocess.CompletedProcess:
    """Submit a job script with two threads and some resources by the profile's command."""
    job = folder / "job.sh"
    job.write_text(f'#!/bin/sh\n# properties = {{"rule": "train_student", "threads": 2, "resources": {resources}}}\n')
    command = [REPOSITORY / "profiles/cluster-generic/submit.py", job]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder)


def test_job_is_submitted_with_what_it_asks_for(tmp_path, scheduler):
    done = submitted(tmp_path, '{"mem_mb": 8000, "runtime": 1450, "gpu": 2}')
    assert (scheduler / done.stdout.strip()).is_dir()
    submitted(tmp_path, '{"mem_mb": 1000, "runtime": 5}')
    assert asked(scheduler) == [
        "-N train_student -l select=1:ncpus=2:mem=1000mb -l walltime=0:05:00",
        "-N train_student -l select=1:ncpus=2:mem=8000mb:ngpus=2 -l walltime=24:10:00",
    ]


def test_submission_that_is_refused_shows_the_sentence_of_the_scheduler(tmp_path, scheduler):
    (scheduler.parent / "bin/qsub").write_text("#!/bin/sh\necho 'qsub: Job exceeds queue limits' >&2; exit 188\n")
    refused = submitted(tmp_path, '{"mem_mb": 10, "runtime": 5}')
    assert (refused.returncode, refused.stderr) == (188, "qsub: Job exceeds queue limits\n")


@pytest.mark.whole
def test_small_study_runs_to_its_report_through_the_commands_of_a_scheduler(workflow, scheduler):
    workflow.write_images()
    study = workflow.study(
        device="auto",
        samplers={"grid_crops": {"count": 4, "size": 64}},
        keep=[1.0],
        students={"adtrs": {"backbone": "test_resnet", "weights": "none", "epochs": 1, "splits": 2, "size": 64}},
        evaluation={"splits": 2, "bootstrap": 100},
        experiments=[{"figure": "rate_sweep", "students": ["adtrs"], "selectors": ["residual"]}],
    )
    profile = ("--workflow-profile", "profiles/cluster-generic", "--seconds-between-status-checks", "1")
    workflow.run(*profile, "--configfile", study)
    assert (workflow.folder / "results/studies/small/report/index.html").is_file()
    submitted = asked(scheduler)
    rules = {options.split()[1] for options in submitted}
    assert {"index_dataset", "train_student", "predict", "evaluate", "compare"} <= rules
    assert not rules & {"split_dataset", "plot_metrics", "render_report", "collect_costs"}
    with_card = {options.split()[1] for options in submitted if "ngpus=1" in options}
    assert with_card == {"train_student", "predict"}
