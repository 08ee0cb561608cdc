"""The price of a study: its jobs' work by stage, and the hours that it takes at given rates."""

import heapq
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields

from iqadistill.config.jobs.job import Job
from iqadistill.config.jobs.layout import PATHS
from iqadistill.config.jobs.plan import Plan
from iqadistill.models.settings import DeepStudentSettings, TeacherSettings
from iqadistill.pricing.networks import count_encoder, count_network
from iqadistill.pricing.rates import Rates
from iqadistill.pricing.work import THUMBNAIL, StudyWork, Work

ON_CARD = (
    "embed_patches",
    "embed_shard",
    "pretrain_teacher",
    "train_mlps",
    "predict_mlps",
    "predict_patches",
    "train_random_draws",
    "train_on_chosen",
    "train_student",
    "predict",
    "predict_cross",
    "time_budgets",
)
"""Rules that hold a card where there is one."""

WITH_TORCH = (*ON_CARD, "plot_selection", "score_budgets")
DRAWING = (
    *("compare", "score_budgets", "score_damage"),
    *("plot_metrics", "plot_selection", "plot_budgets", "plot_damage", "render_report"),
)
DECODING_THREADS = 2  # of a job on a card
LAUNCH = "start of jobs"  # the row of what Snakemake itself takes
WEIGHTS_ROW = "pretrained weights"  # the row of what the hub of timm is asked for


@dataclass
class Stage:
    """A row of the price: one rule, or what is no rule's.

    Attributes:
        name: The rule.
        jobs: Number of its jobs.
        trainings: Number of networks that they train.
        forward_passes: Passes of a patch without gradient.
        training_passes: Passes with gradient.
        flops: Operations of networks and selectors.
        download: Bytes to download, or to fetch by hand.
        disk: Bytes of results.
        memory: Bytes of memory of its largest job.
        seconds: Seconds of its jobs one after the other, each on one core or one card.
        largest: Seconds of the longest job.
    """

    name: str
    jobs: int = 0
    trainings: int = 0
    forward_passes: float = 0.0
    training_passes: float = 0.0
    flops: float = 0.0
    download: float = 0.0
    disk: float = 0.0
    memory: float = 0.0
    seconds: float = 0.0
    largest: float = 0.0

    def add(self, work: Work, seconds: float) -> None:
        """Add a job."""
        self.jobs += 1
        for name in ("trainings", "forward_passes", "training_passes", "flops", "download", "disk"):
            setattr(self, name, getattr(self, name) + getattr(work, name))
        self.memory = max(self.memory, work.memory)
        self.seconds += seconds
        self.largest = max(self.largest, seconds)


@dataclass(frozen=True)
class Price:
    """What a study costs.

    Attributes:
        study: Name of the study.
        stages: Rows by rule, in the order of the workflow.
        total: Their sums; of memory and of the longest job, the largest.
        wall_seconds: Seconds from start to end with the given cores and cards.
        cores: Number of cores.
        cards: Number of cards; 0 if networks run on cores.
        rates: What the seconds are computed with.
        missing: What could not be counted and is left out.
    """

    study: str
    stages: tuple[Stage, ...]
    total: Stage
    wall_seconds: float
    cores: int
    cards: int
    rates: Rates
    missing: tuple[str, ...]

    def as_json(self) -> dict[str, object]:
        """All numbers, in bytes, seconds and operations, as JSON can hold them."""
        return asdict(self)


def price_study(plan: Plan, rates: Rates, *, cores: int = 1, cards: int = 1) -> Price:
    """Price a study.

    Args:
        plan: The study's jobs.
        rates: Rates of the machine.
        cores: Number of cores.
        cards: Number of cards; without effect unless the rates are a card's.
    """
    counted, stages, durations = StudyWork(plan), {rule: Stage(rule) for rule in PATHS}, {}
    for job in plan.jobs.values():
        work = counted.of(job)
        durations[job.output] = job_seconds(job, work, rates)
        stages[job.rule].add(work, durations[job.output])
    launches = Stage(LAUNCH, seconds=len(plan.jobs) * rates.launch)
    weights = Stage(WEIGHTS_ROW, download=weights_bytes(plan))
    rows = [*(stage for stage in stages.values() if stage.jobs), launches, weights]
    wall = wall_seconds(plan, durations, rates, cores=cores, cards=cards)
    shown = cards if rates.card else 0
    return Price(plan.study.name, tuple(rows), _total(rows), wall, cores, shown, rates, tuple(counted.missing))


def job_seconds(job: Job, work: Work, rates: Rates) -> float:
    """Seconds of a job on one core, or on a card and the core beside it; without its launch by Snakemake.

    On a card images are decoded by two threads while the networks run, so that the slower of the two counts.
    """
    with_torch = job.rule in WITH_TORCH or THUMBNAIL in job.modules
    start = rates.torch_imports if with_torch else rates.imports
    start += rates.drawing if job.rule in DRAWING else 0.0
    networks = (
        work.encoder_flops / rates.encoder
        + work.forward_flops / rates.forward
        + work.training_flops / rates.training
        + work.mlp_flops / rates.mlp
    )
    reading = work.decoded / rates.decoding + work.cut / rates.cutting
    rest = (
        work.selection_flops / rates.selection
        + work.rendered / rates.rendering
        + work.searched / rates.searching
        + work.evaluated / rates.evaluating
    )
    return start + rest + (max(networks, reading / DECODING_THREADS) if rates.card else networks + reading)


def wall_seconds(plan: Plan, durations: Mapping[str, float], rates: Rates, *, cores: int, cards: int) -> float:
    """Seconds until the last job ends if a core and, for networks, a card takes the next job that is ready.

    Args:
        plan: The jobs.
        durations: Seconds of each job by its first output.
        rates: Rates, for the launch of a job and whether there is a card.
        cores: Number of cores.
        cards: Number of cards.
    """
    producer = {_stem(output): output for output in plan.jobs}
    waits = {
        output: {producer[_stem(file)] for file in job.input_files if _stem(file) in producer} - {output}
        for output, job in plan.jobs.items()
    }
    followers: dict[str, list[str]] = {output: [] for output in plan.jobs}
    for output, needed in waits.items():
        for other in needed:
            followers[other].append(output)
    order = {output: number for number, output in enumerate(plan.jobs)}
    open_needs = {output: len(needed) for output, needed in waits.items()}
    ready = [(order[output], output) for output, count in open_needs.items() if not count]
    heapq.heapify(ready)
    running: list[tuple[float, str]] = []
    now, free_cores, free_cards = 0.0, cores, cards if rates.card else cores
    while ready or running:
        held = []
        while ready and free_cores:
            number, output = heapq.heappop(ready)
            on_card = rates.card and plan.jobs[output].rule in ON_CARD
            if on_card and not free_cards:
                held.append((number, output))
                continue
            free_cores -= 1
            free_cards -= on_card
            heapq.heappush(running, (now + rates.launch + durations[output], output))
        for entry in held:
            heapq.heappush(ready, entry)
        now, output = heapq.heappop(running)
        free_cores += 1
        free_cards += rates.card and plan.jobs[output].rule in ON_CARD
        for follower in followers[output]:
            open_needs[follower] -= 1
            if not open_needs[follower]:
                heapq.heappush(ready, (order[follower], follower))
    return now


def _stem(file: str) -> str:
    """A path without what tells a job's outputs apart."""
    file = file.replace("/tables/", "/figures/").replace("/summary.parquet", "/metrics.parquet")
    folder, _, name = file.rpartition("/")
    for suffix in (".history.parquet", ".trace.parquet", ".safetensors", ".parquet", ".json", ".csv", ".svg", ".png"):
        name = name.removesuffix(suffix)
    return f"{folder}/{name}"


def weights_bytes(plan: Plan) -> float:
    """Bytes of weights that the hub is asked for, each network once."""
    study, networks = plan.study, {}
    for table in plan.embedded:
        encoder, size = study.encoders[table.encoder], study.samplers[table.sampler].size
        if getattr(encoder, "weights", "") == "hub":
            networks[getattr(encoder, "model", table.encoder)] = count_encoder(encoder, size).parameters
    trained: list[tuple[DeepStudentSettings | TeacherSettings, str]] = [
        *((study.deep_students[job.student], job.sampler) for job in plan.student_jobs),
        *((study.teachers[job.teacher], job.sampler) for job in plan.teacher_jobs),
    ]
    for settings, sampler in trained:
        if getattr(settings, "weights", "") == "hub":
            name = getattr(settings, "backbone", settings.model)
            counted = count_network(settings, settings.size or study.samplers[sampler].size)
            networks[name] = min(networks.get(name, counted.parameters), counted.parameters)
    return 4.0 * sum(networks.values())


def _total(rows: Iterable[Stage]) -> Stage:
    total = Stage("total")
    for row in rows:
        for field in fields(Stage):
            if field.name in ("memory", "largest"):
                setattr(total, field.name, max(getattr(total, field.name), getattr(row, field.name)))
            elif field.name != "name":
                setattr(total, field.name, getattr(total, field.name) + getattr(row, field.name))
    return total
