"""Score images from few placed crops, with students that learned from many random ones.

    python benchmarks/benchmark_placed_patches.py STUDY.yaml --counts 1 2 3 4

Students of all random crops of a study that was run here (figure `budget`) score the test images of their splits from
as many crops as the sampler `placed_crops` draws of each image, weighted by the share of the image that each is nearest
to. The table compares their SRCC with that from all random crops, with an error over contents and trainings, all counts
in one family, and tells the mean absolute distance to the score from all random crops.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import yaml

from iqadistill.config import Plan, check_study
from iqadistill.encoders.embedding import embed_patches
from iqadistill.evaluation.jackknife import contents_estimate
from iqadistill.evaluation.patch_scores import PatchScores
from iqadistill.evaluation.verdicts import decide
from iqadistill.sampling.registry import SAMPLERS
from iqadistill.tables import embedding_matrix, read_table
from iqadistill.training.mlp.trained_mlps import load_mlps

ARGUMENTS = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
ARGUMENTS.add_argument("study", type=Path)
ARGUMENTS.add_argument("--counts", type=int, nargs="+", default=[1, 2, 3, 4])


def main() -> None:
    """Print the table."""
    given = ARGUMENTS.parse_args()
    plan = Plan(check_study(yaml.safe_load(given.study.read_text())))
    job = min(plan.patch_scored)
    images = read_table(plan.images_file(job.dataset), "images")
    (trained,) = (one for one in plan.jobs.values() if one.rule == "train_mlps" and one.names == vars(job))
    (scored,) = (one for one in plan.jobs.values() if one.rule == "predict_patches" and one.names == vars(job))
    scores = PatchScores(read_table(scored.output, "patch_scores"), images, plan.official_splits)
    everything = scores.pooled(np.ones(len(scores.score)))
    whole = scores.srcc(everything[None])[:, 0]
    mlps = load_mlps(trained.output)
    models = {one.split: place for place, one in enumerate(mlps.variants) if one.keep == 1}

    random = plan.study.samplers[job.sampler].model_dump()
    placed = {**{name: random[name] for name in ("size", "longer_side", "small_images")}, "method": "placed_crops"}
    encoder = plan.study.encoders[job.encoder].create()
    estimates, facts = [], []
    for count in given.counts:
        patches = SAMPLERS.create({**placed, "count": count}).sample(images, seed=plan.study.seed)
        embeddings = torch.tensor(embedding_matrix(embed_patches(images, patches, encoder)))
        frame = patches.select(["image_id", "weight"]).to_pandas()
        pooled = np.empty(len(scores.split))
        for split in np.unique(scores.split):
            frame["score"] = mlps.stack[[models[int(split)]]].scores(embeddings)[0].double().numpy()
            of_image = (frame.score * frame.weight).groupby(frame.image_id).sum()
            rows = scores.split == split
            pooled[rows] = of_image[scores.image[rows]]
        estimates.append(contents_estimate(scores.by_split(np.stack([pooled, everything]))))
        srcc = scores.srcc(pooled[None]).mean()
        facts.append({"placed crops": count, "distance": np.abs(pooled - everything).mean(), "srcc": srcc})
    table = pd.DataFrame(facts)
    for name in ("difference", "low", "high", "smallest_detectable", "verdict"):
        table[name] = [getattr(one, name) for one in decide(estimates, plan.study.evaluation.margin)]
    print(f"{scores.most} random crops: SRCC {whole.mean():.4f}, mean over {len(whole)} splits")
    print(table.round(4).to_string(index=False))


if __name__ == "__main__":
    main()
