"""Images per second of the embedding of patches, beside its stages alone: decoding, cutting or projecting, encoder.

    python benchmarks/benchmark_embedding.py --csv benchmarks/results
    python benchmarks/benchmark_embedding.py --panoramas FOLDER --photographs FOLDER --device cuda --model resnet50

`embed_patches`, what the rule of that name runs, is timed on flat crops and on panoramas of 4096 x 2048 pixels under
every kind of sampling. Beside it each stage runs alone with its inputs in memory, as many images or batches side by
side as there are threads: the bare rate is that of their summed time on a CPU, and that of the encoder alone on a card,
where all else can be done meanwhile. Rule and stages take turns; medians over the rounds are printed. Images are taken
from the folders, or drawn from a seed. With --precision, another arithmetic is measured as well, and the smallest
Spearman correlation over images of its rankings by `residual` with those of float32 is told.

The workflow's jobs keep freed memory; for their rates on panoramas, set the variables MALLOC_* as the Snakefile does,
or run `make benchmark-embedding`.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import torch
from conditions import conditions
from PIL import Image
from scipy.stats import spearmanr
from torch import Tensor

from iqadistill.encoders.embedding import embed_patches
from iqadistill.encoders.encoder import Encoder
from iqadistill.encoders.registry import ENCODERS
from iqadistill.images.decoding import image_size, read_image
from iqadistill.parallel import map_ahead, one_thread_per_operation
from iqadistill.patches.reading import cut_patches, groups_by_image
from iqadistill.sampling.registry import SAMPLERS
from iqadistill.selection.ranking import rank_patches
from iqadistill.selection.registry import SELECTORS
from iqadistill.tables import as_table

FLAT, SPHERE = (768, 1024), (2048, 4096)
SAMPLERS_OF = {
    "flat": {"random_crops": {}, "grid_crops": {}},
    "sphere": {
        "erp": {"fov": "native"},
        "erp, 60 degrees": {"method": "erp", "fov": 60},
        "erp crops": {"method": "erp", "projection": "crop"},
        "lat": {"fov": "native"},
        "sphere": {"fov": "native"},
        "placed_viewports": {"fov": "native"},
        "sp": {"fov": "native"},
    },
}


class Bench(NamedTuple):
    """What is embedded.

    Attributes:
        images: Table "images".
        patches: Table "patches".
        encoder: Encoder.
        threads: Threads of the rule and of each stage alone.
    """

    images: pa.Table
    patches: pa.Table
    encoder: Encoder
    threads: int

    def rule(self) -> None:
        """The code of the rule."""
        torch.set_num_threads(self.threads)
        embed_patches(self.images, self.patches, self.encoder)

    def stages(self) -> dict[str, Callable[[], None]]:
        """Each stage alone, on inputs that the stage before it has left in memory."""
        paths = self.images["path"].to_pylist()
        rows = [rows for _, rows in groups_by_image(self.patches)]
        decoded = [read_image(path) for path in paths]
        device, size = self.encoder.device, self.encoder.size
        pieces = [cut_patches(image, of_image, size, device) for image, of_image in zip(decoded, rows, strict=True)]
        on_card = device.type == "cuda"
        batches = torch.cat([self.encoder.resize(piece) for piece in pieces]).split(256 if on_card else 16)

        def embed(batch: Tensor) -> None:
            self.encoder.embed(batch).cpu()

        return {
            "decode": lambda: self._side_by_side(read_image, paths),
            "cut": lambda: self._side_by_side(
                lambda pair: cut_patches(*pair, size, device), zip(decoded, rows, strict=True)
            ),
            "encode": lambda: self._side_by_side(embed, batches, 1 if on_card else self.threads),
        }

    def _side_by_side(self, function: Callable, items: Iterable, threads: int | None = None) -> None:
        torch.set_num_threads(self.threads)
        with one_thread_per_operation():
            for _ in map_ahead(function, items, threads or self.threads):
                pass


def drawn_images(folder: Path, kind: str, count: int) -> list[Path]:
    """JPEG files of noise over smooth colours, which take as long to decode as photographs of their size."""
    draw, (height, width), files = np.random.default_rng(0), FLAT if kind == "flat" else SPHERE, []
    for number in range(count):
        coarse = draw.integers(0, 256, (height // 64, width // 64, 3), dtype=np.uint8)
        smooth = np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC), dtype=np.int16)
        noisy = (smooth + draw.integers(-8, 9, smooth.shape, dtype=np.int16)).clip(0, 255).astype(np.uint8)
        files.append(folder / f"{kind}{number}.jpg")
        Image.fromarray(noisy).save(files[-1], quality=90)
    return files


def images_of(files: Iterable[Path], kind: str, count: int) -> pa.Table:
    """Table "images" of `count` files; panoramas of other sizes than 4096 x 2048 are left out."""
    sizes = {file: image_size(file, checked=False) for file in files}
    chosen = [file for file, size in sizes.items() if kind == "flat" or size == SPHERE][:count]
    height, width = zip(*(sizes[file] for file in chosen), strict=True)
    facts = {"dataset": kind, "status": "ok", "height": height, "width": width}
    return as_table(pd.DataFrame({**facts, "image_id": [f.name for f in chosen], "path": map(str, chosen)}), "images")


def measure(bench: Bench, repeats: int) -> dict[str, float]:
    """Median seconds of the rule and of each stage over rounds in which they take turns, after one that warms up."""
    runs = {"rule": bench.rule, **bench.stages()}
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(repeats + 1):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(of_run[1:]) for name, of_run in seconds.items()}


def agreement(images: pa.Table, patches: pa.Table, encoders: dict[str, Encoder]) -> float:
    """Smallest Spearman correlation, over images, of the ranks by `residual` from the embeddings of two encoders."""
    selector = SELECTORS.create({"method": "residual"}).create()
    tables = [embed_patches(images, patches, encoder) for encoder in encoders.values()]
    ranks = [rank_patches(table, selector, seed=0)[0].to_pandas() for table in tables]
    joined = ranks[0].assign(other=ranks[1]["rank"]).groupby("image_id")
    return min(spearmanr(one["rank"], one["other"]).statistic for _, one in joined)


def main() -> None:
    """Print the table, and write it as CSV where that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photographs", type=Path, help="folder of flat images; default: drawn ones")
    parser.add_argument(
        "--panoramas", type=Path, help="folder with panoramas of 4096 x 2048 pixels; default: drawn ones"
    )
    parser.add_argument("--images", type=int, default=6, help="images of each kind (default 6)")
    parser.add_argument("--count", type=int, default=20, help="patches of an image (default 20)")
    parser.add_argument("--side", type=int, default=96, help="side of a patch in pixels (default 96)")
    parser.add_argument(
        "--model", default="tf_efficientnet_lite0", help="network of timm (default: EfficientNet-Lite0)"
    )
    parser.add_argument("--weights", default="packaged", help="packaged, hub, none or a file (default: packaged)")
    parser.add_argument("--pooling", choices=["gap", "stages"], default="stages")
    parser.add_argument("--precision", choices=["bfloat16", "float16"], help="arithmetic that is compared with float32")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--threads", type=int, default=2, help="threads of the rule (default 2, as in the workflow)")
    parser.add_argument("--repeats", type=int, default=3, help="rounds after the one that warms up (default 3)")
    parser.add_argument("--csv", type=Path, help="folder for the table embedding.csv")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    if not torch.cuda.is_available():
        print("no CUDA device")
        if given.device == "cuda":
            return
    network = {"model": given.model, "weights": given.weights, "pooling": given.pooling}
    precisions = ["float32", given.precision] if given.precision else ["float32"]
    encoders = {
        one: ENCODERS.create({"backend": "timm", **network, "precision": one}).create(given.device)
        for one in precisions
    }
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for kind, source in (("flat", given.photographs), ("sphere", given.panoramas)):
            files = sorted(source.iterdir()) if source else drawn_images(Path(folder), kind, given.images)
            images = images_of(files, kind, given.images)
            for sampling, settings in SAMPLERS_OF[kind].items():
                sampler = {"method": sampling, "count": given.count, "size": given.side, **settings}
                patches = SAMPLERS.create(sampler).sample(images, seed=0)
                for precision, encoder in encoders.items():
                    bench = Bench(images, patches, encoder, given.threads)
                    facts = {
                        "images": kind,
                        "sampling": sampling,
                        "precision": precision,
                        "number": len(images),
                        "patches": len(patches),
                    }
                    rows.append(facts | rates(measure(bench, given.repeats), len(images), given.device))
                    if precision != "float32":
                        rows[-1]["rank correlation"] = agreement(images, patches, encoders)
                    print(
                        "  ".join(
                            f"{name} {value:.4g}" if isinstance(value, float) else str(value)
                            for name, value in rows[-1].items()
                        ),
                        flush=True,
                    )
    if given.csv:
        given.csv.mkdir(parents=True, exist_ok=True)
        table = pd.DataFrame(rows).assign(**network, side=given.side, device=given.device, **conditions())
        table.to_csv(given.csv / "embedding.csv", index=False)


def rates(seconds: dict[str, float], images: int, device: str) -> dict[str, float]:
    """Images per second of the rule and of the bare stages, their ratio, and milliseconds per image of each stage."""
    stages = {name: of_stage for name, of_stage in seconds.items() if name != "rule"}
    bare = stages["encode"] if device == "cuda" else sum(stages.values())
    facts = {"rule": images / seconds["rule"], "bare": images / bare, "rule / bare": bare / seconds["rule"]}
    return facts | {f"{name} ms": 1e3 * of_stage / images for name, of_stage in stages.items()}


if __name__ == "__main__":
    main()
