"""Small seeded tables with exactly the rows that the jobs of a study would write."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from PIL import Image

from iqadistill.config import Plan
from iqadistill.config.experiments import resolve, source_of
from iqadistill.config.jobs.job import Job
from iqadistill.config.jobs.layout import TIMED
from iqadistill.evaluation.comparisons import compare_variants
from iqadistill.evaluation.label_only import STUDENT as LABEL_ONLY
from iqadistill.evaluation.random_splits import over_random_splits
from iqadistill.table_schemas import METRICS, VARIANT_COLUMNS, VARIANT_OVER_SPLITS
from iqadistill.tables import as_table, embeddings_table, read_table, write_table

CONTENTS, LEVELS = 3, 2  # of a dataset whose labels name references; others hold as many images, each its own content
PATCHES = 12  # of an image, unless the sampler places fewer or a selector needs more
WIDTH = 6  # of an embedding
ITERATIONS = 7  # of a solver


class SyntheticTables:
    """Tables that the figures and the report of a study read.

    Attributes:
        metrics: Table "metrics": a row of every variant, dataset and split that a prediction is planned for.
        histories: Rows of all tables "history".
        costs: Table "costs".
    """

    def __init__(self, plan: Plan):
        self.plan = plan
        self.trained, self.tested = _trained(plan), _tested(plan)
        self.metrics = self._metrics()
        self.histories = self.trained.drop(columns="dataset").assign(
            epoch=1, step=1, loss=0.1, lr=0.001, num_patches=(100 * self.trained.keep).astype(int), seconds=2.0
        )
        self.costs = self._costs()

    def _metrics(self) -> pd.DataFrame:
        generator = np.random.default_rng(0)
        labelled = [name for name in self.plan.trained_datasets if _names_references(self.plan, name)]
        alone = [
            {"dataset": name, "train_dataset": name, "selector": "", "keep": 1.0, "student": LABEL_ONLY, "split": split}
            for name in labelled
            for split in self.plan.splits_of(name)
        ]
        rows = pd.concat([self.tested, pd.DataFrame(alone)], ignore_index=True).fillna(
            {"sampler": "", "encoder": "", "teacher": ""}
        )
        values = 0.8 + 0.02 * generator.normal(size=(len(rows), len(METRICS)))
        return rows.assign(**dict(zip(METRICS, values.T, strict=True)), n=8)

    def _costs(self) -> pd.DataFrame:
        (job,) = (job for job in self.plan.jobs.values() if job.rule == "collect_costs")
        measured = {"seconds": 2.0, "cpu_seconds": 1.5, "max_rss": 1e9}
        network = {"parameters": 1e6, "flops": 1e9}
        scoring = {"scored_images": 9.0, "scored_patches": 90.0, "scoring_seconds": 1.0}
        rows = [
            {
                "rule": fact["rule"],
                "wildcards": json.dumps(fact["names"]),
                **measured,
                **((scoring if fact["rule"] in TIMED else network) if fact["sidecar"] else {}),
            }
            for fact in json.loads(job.params["jobs"])
        ]
        return pd.DataFrame(rows)

    @property
    def summary(self) -> pd.DataFrame:
        """Table "summary": means over the random splits, with intervals of +-0.02."""
        by_metric = over_random_splits(self.metrics, self.plan.official_splits).melt(
            ["dataset", *VARIANT_COLUMNS], METRICS, var_name="metric"
        )
        groups = by_metric.groupby(["dataset", *VARIANT_OVER_SPLITS, "metric"], sort=False).value
        rows = groups.agg(mean="mean", median="median", std="std", splits="count").reset_index()
        return rows.assign(low=rows["mean"] - 0.02, high=rows["mean"] + 0.02)

    @property
    def distortions(self) -> pd.DataFrame:
        """Table "distortions": all test images, and those of the one type that labels name references of."""
        pooled = self.metrics[self.metrics.dataset == self.metrics.train_dataset].rename(columns={"n": "images"})
        typed = pooled[[_names_references(self.plan, dataset) for dataset in pooled.dataset]]
        rows = pd.concat([pooled.assign(distortion=""), typed.assign(distortion="blur", images=10)])
        return rows[["dataset", *VARIANT_COLUMNS, "distortion", "images", "srcc"]]

    @property
    def official(self) -> pd.DataFrame:
        """Table "official": metrics on the official splits, with intervals of +-0.02."""
        numbers = self.metrics.train_dataset.map(self.plan.official_splits)
        alone = self.metrics[(self.metrics.split == numbers) & (self.metrics.dataset == self.metrics.train_dataset)]
        rows = alone.melt(["dataset", *VARIANT_OVER_SPLITS, "n"], METRICS, var_name="metric")
        return rows.assign(low=rows.value - 0.02, high=rows.value + 0.02)

    @property
    def stability(self) -> pd.DataFrame:
        """Table "stability": a row of every deep student whose flipped patches are scored too."""
        scored = [job for job in self.plan.jobs.values() if job.rule == "predict" and job.params["flip"]]
        flipped = self.trained[self.trained.student.isin([job.names["student"] for job in scored])]
        variants = flipped[["dataset", *VARIANT_OVER_SPLITS]].drop_duplicates()
        return variants.assign(difference=0.01, std=0.002, splits=2)

    @property
    def comparisons(self) -> pa.Table:
        """Table "comparisons" of the metrics; selectors stand among random rankings where the study draws them."""
        splits = {name: _splits(self.plan, name) for name in self.plan.trained_datasets}
        table = compare_variants(as_table(self.metrics, "metrics"), splits, self.plan.official_splits).to_pandas()
        for job, rates in self.plan.random_draws.items():
            for keep, draws in rates.items():
                among = (table[["dataset", "sampler", "encoder", "student"]] == list(vars(job).values())).all(axis=1)
                among &= (table.family == "against_random") & (table.metric == "srcc") & np.isclose(table.keep, keep)
                facts = ["random_rankings", draws, draws // 2, 0.004]
                table.loc[among, ["test", "draws", "below", "deviation"]] = facts
        return as_table(table, "comparisons")

    @property
    def verdicts(self) -> pd.DataFrame:
        """Table "verdicts": a row of every primary comparison, undecided."""
        return pd.DataFrame(
            {f"other_{name}": value for name, value in vars(primary.second).items() if name != "dataset"}
            | vars(primary.first)
            | {"axis": primary.axis, "metric": "srcc", "verdict": "undecided", "margin": 0.01, "difference": 0.002}
            | {"low": -0.01, "high": 0.014, "smallest_detectable": 0.02, "p": 0.4, "p_adjusted": 0.4}
            | {"splits": 10, "draws": primary.draws, "below": primary.draws // 2}
            for primary in self.plan.primaries
        )

    def write(self) -> pd.DataFrame:
        """Write every table that a figure or the report reads to where its job would, under the working directory.

        Returns:
            Table "summary".
        """
        for job in list(self.plan.jobs.values()):
            if job.rule == "index_dataset":
                _write_images(self.plan, job)
            if job.rule == "train_on_chosen":
                write_table(_choices(self.plan, job), job.output, "choices")
            if job.rule == "score_budgets":
                _write_budgets(self.plan, job)
            if job.rule == "time_budgets":
                _write_budget_times(job)
            if job.rule == "plot_selection":
                for file in {*job.inputs["patches"], *job.inputs["embeddings"], *job.inputs["selections"]}:
                    _write_patches(self.plan, self.plan.jobs[file])
            if job.rule == "score_damage":
                for file in job.inputs["patches"]:
                    _write_patches(self.plan, self.plan.jobs[file])
                _write_damage(self.plan, job)
        for name in self.plan.trained_datasets:
            write_table(_splits(self.plan, name), self.plan.splits_file(name), "splits")
        summary, study = self.summary, Path(f"results/studies/{self.plan.study.name}")
        write_table(self.metrics, study / "metrics.parquet", "metrics")
        write_table(summary, study / "summary.parquet", "summary")
        write_table(self.distortions, study / "distortions.parquet", "distortions")
        write_table(self.official, study / "official.parquet", "official")
        write_table(self.stability, study / "stability.parquet", "stability")
        write_table(self.verdicts, study / "verdicts.parquet", "verdicts")
        write_table(self.comparisons, study / "comparisons.parquet", "comparisons")
        write_table(self.costs, study / "costs.parquet", "costs")
        write_table(self.histories, study / "histories.parquet", "history")
        return summary


def _trained(plan: Plan) -> pd.DataFrame:
    """Variants and splits that a training is planned for, with the dataset."""
    rows = []
    for job in plan.jobs.values():
        if job.rule not in ("train_mlps", "train_student"):
            continue
        names = json.loads(job.params["names"])
        row = {"dataset": names["train_dataset"], **names}
        if job.rule == "train_student":
            rows.append(row)
            continue
        rows += [
            {**row, "selector": selector, "keep": keep, "split": split}
            for selector, keep in json.loads(job.params["variants"])
            for split in plan.splits_of(names["train_dataset"])
        ]
    return pd.DataFrame(rows)


def _tested(plan: Plan) -> pd.DataFrame:
    """Variants, datasets and splits that a prediction is planned for."""
    tested = []
    for job in plan.jobs.values():
        if job.rule == "predict_cross":
            names = json.loads(plan.jobs[job.inputs["weights"]].params["names"])
            tested.append({"dataset": job.names["tested"], **names})
        if job.rule in ("predict_images", "read_predictions"):
            name, student = job.names["dataset"], job.names["student"]
            whole = {"dataset": name, "train_dataset": name, "selector": "", "keep": 1.0, "student": student}
            tested += [{**whole, "split": split} for split in plan.splits_of(name)]
    return pd.concat([_trained(plan), pd.DataFrame(tested)], ignore_index=True)


def _write_budgets(plan: Plan, job: Job) -> None:
    """Write a row of every selector, random choices and all patches for 1, 2 and 4 patches of each table."""
    (experiment,) = (one for one in plan.study.experiments if one.name == job.wildcards["experiment"])
    resolved = resolve(plan.study, experiment)
    rows = [
        {**table._asdict(), "student": student, "selector": selector, "patches": count, "verdict": "better"}
        for table in resolved.tables
        for student in resolved.students
        for selector in (*json.loads(job.params["selectors"]), "learned", "random", "all", "auto")
        for count in {"all": (7,), "auto": (2,)}.get(selector, (1, 2, 3, 4))
    ]
    table = pd.DataFrame(rows).assign(srcc=0.8, low=0.7, high=0.9, distance=0.02, margin=0.01)
    table["mean_patches"] = np.where(table.selector == "auto", 2.5, np.nan)
    write_table(table, job.output, "budgets")


def _write_budget_times(job: Job) -> None:
    """Write the same time for every choice."""
    rows = [
        {**names, "selector": selector}
        for names in json.loads(job.params["names"])
        for selector in (*json.loads(job.params["selectors"]), "learned", "random", "all", "auto")
    ]
    write_table(pd.DataFrame(rows).assign(fixed=5.0, per_patch=2.0, images=8), job.output, "budget_times")


def _write_damage(plan: Plan, job: Job) -> None:
    """Write a row of every student and selector, and patches of which every other one is damaged and scored lower."""
    (experiment,) = (one for one in plan.study.experiments if one.name == job.wildcards["experiment"])
    resolved, parts = resolve(plan.study, experiment), []
    orders = [(student, "all") for student in resolved.students]
    orders += [("", name) for name in json.loads(job.params["selectors"])]
    rows = [
        {**table._asdict(), "student": student, "selector": selector, "region": region, "images": 6, "contents": 3}
        for table in resolved.tables
        for student, selector in orders
        for region in (None, "half", "tile", "band")
    ]
    write_table(pd.DataFrame(rows).assign(auc=0.7, low=0.6, high=0.8), job.output, "damage")
    for table, file in zip(resolved.tables, job.inputs["patches"], strict=True):
        patches = read_table(file, "patches", ["patch_id", "image_id"]).to_pandas()
        damaged = (patches.patch_id % 2).astype(float)
        facts = {**table._asdict(), "student": resolved.students[0], "damaged": damaged, "score": 0.5 - 0.1 * damaged}
        parts.append(patches.assign(**facts))
    write_table(pd.concat(parts), job.file(".patches.parquet"), "damaged_patches")


def _names_references(plan: Plan, dataset: str) -> bool:
    return source_of(plan.study, dataset).reference == "named"


def _images(plan: Plan, dataset: str) -> pd.DataFrame:
    """Rows of table "images"."""
    source = source_of(plan.study, dataset)
    levels = range(LEVELS + 1) if _names_references(plan, dataset) else [0]
    contents = CONTENTS if len(levels) > 1 else CONTENTS * LEVELS
    rows = [
        {"image_id": f"{content}_{level}.png", "reference_id": str(content), "level": level or None}
        | {"is_reference": len(levels) > 1 and level == 0 and source.score is not None}
        for content in range(contents)
        for level in levels
    ]
    frame = pd.DataFrame(rows).assign(dataset=dataset, width=64, height=32, status="ok")
    frame["path"] = "images/" + frame.image_id
    frame["distortion"] = np.where(frame.level.notna(), "blur", None)
    frame["region"] = "tile 0.25 0.3333 0.25 0.3333" if source.local_damage_of else None
    if source.score is not None:
        frame["score"] = frame["quality"] = np.linspace(1, 0, len(frame))
    return frame


def _write_images(plan: Plan, job: Job) -> None:
    dataset = job.names["dataset"]
    images = _images(plan, dataset)
    simulated = {"scores": "simulated from opinions", "noise_ceiling": "0.95"}
    write_table(images, job.output, "images", simulated if source_of(plan.study, dataset).simulated else {})
    Path("images").mkdir(exist_ok=True)
    for path in images.path:
        if not Path(path).exists():
            Image.new("RGB", (64, 32), (90, 120, 150)).save(path)


def _splits(plan: Plan, dataset: str) -> pa.Table:
    """Table "splits": the last content of a split is tested on."""
    images = _images(plan, dataset)
    role = np.where(images.reference_id == images.reference_id.iloc[-1], "test", "train")
    rows = [images[["image_id"]].assign(split=split, role=role) for split in plan.splits_of(dataset)]
    return as_table(pd.concat(rows), "splits")


def _choices(plan: Plan, job: Job) -> pd.DataFrame:
    """Table "choices": every image is tested on, and those who learn from more images err less."""
    images, generator = _images(plan, job.names["dataset"]), np.random.default_rng(0)
    students = [("all", 100, 0)]
    for budget in json.loads(job.params["budgets"]):
        students += [(chooser, budget, 0) for chooser in json.loads(job.params["choosers"])]
        students += [("random", budget, draw) for draw in range(job.params["draws"])]
    rows = [
        images[["image_id", "score"]].assign(split=split, chooser=chooser, budget=budget, draw=draw)
        for split in json.loads(job.params["splits"])
        for chooser, budget, draw in students
    ]
    table = pd.concat(rows, ignore_index=True)
    noise = generator.normal(size=len(table)) / np.sqrt(table.budget)
    return table.assign(**job.names, prediction=table.score + noise)


def _write_patches(plan: Plan, job: Job) -> None:
    """Write the patches, the embeddings, or the ranking with its trace that a job would."""
    if Path(job.output).exists():
        return
    generator = np.random.default_rng(0)
    sampler, names = plan.study.samplers[job.names["sampler"]], _images(plan, job.names["dataset"]).image_id
    ranked = [getattr(selector, "n_components", 0) for selector in plan.study.selectors.values()]
    count = min(sampler.count, max(PATCHES, *ranked))  # a figure may rank them again
    patches = pd.DataFrame({"image_id": np.repeat(names, count), "order": np.tile(np.arange(count), len(names))})
    patches.insert(0, "patch_id", np.arange(len(patches)))
    if job.rule == "embed_patches":
        vectors = generator.normal(size=(len(patches), WIDTH)).astype("float32")
        table = embeddings_table(patches.patch_id.to_numpy(), patches.image_id.tolist(), vectors)
        write_table(table, job.output, "embeddings")
    elif job.rule == "sample_patches":
        places = generator.uniform(-1, 1, (2, len(patches)))
        if sampler.kind == "flat":
            placed = patches.assign(x=(12 + 10 * places[0]).astype(int), y=(12 + 10 * places[1]).astype(int), size=8)
        else:
            placed = patches.assign(yaw=3 * places[0], pitch=1.5 * places[1], fov=1.0, size=8)
        write_table(placed, job.output, "patches")
    else:
        ranking = patches[["patch_id", "image_id"]].assign(
            residual=generator.uniform(0.5, 1.5, len(patches)),
            rank=np.concatenate([generator.permutation(count) for _ in names]),
        )
        write_table(ranking, job.output, "selection")
        trace = pd.DataFrame(
            {
                "image_id": np.repeat(names, ITERATIONS),
                "iteration": np.tile(np.arange(1, ITERATIONS + 1), len(names)),
                "objective": np.tile(1 + 0.5 ** np.arange(ITERATIONS), len(names)),
                "gap": np.tile(0.1 ** np.arange(ITERATIONS), len(names)),
            }
        )
        write_table(trace, job.file(".trace.parquet"), "selection_trace")
