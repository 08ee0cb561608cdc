"""Trained MLPs of every split, selector and keep rate, in memory and on disk."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import pandas as pd
import pyarrow as pa
import torch
from safetensors import SafetensorError

from iqadistill.atomic_writing import write_atomically
from iqadistill.errors import InputError
from iqadistill.models.mlp import MLP
from iqadistill.models.students.mlp import MlpSettings
from iqadistill.tables import as_table
from iqadistill.training.mlp.stacked_mlps import StackedMlps
from iqadistill.training.tensor_files import load_tensors, save_tensors


@dataclass(frozen=True)
class Variant:
    """One of the trained MLPs: its selector, keep rate and split."""

    selector: str
    keep: float
    split: int


@dataclass
class TrainedMlps:
    """Trained MLPs that take raw embeddings: the standardisation is folded into their first layers.

    Attributes:
        train_dataset: Name of the dataset that they were trained on.
        variants: Selector, keep rate and split of each model.
        stack: Weights of the models, in the order of `variants`.
        dropout: Dropout rates after the hidden layers.
        epochs: Training history, a row per model and epoch; empty for loaded models.
    """

    train_dataset: str
    variants: list[Variant]
    stack: StackedMlps
    dropout: tuple[float, ...]
    epochs: pd.DataFrame = field(default_factory=pd.DataFrame)

    def model(self, variant: Variant) -> MLP:
        """A single model on the CPU, in eval mode.

        Raises:
            InputError: There is no model of this variant.
        """
        if variant not in self.variants:
            raise InputError(f"{variant}: not trained; choose one of the {len(self.variants)} variants that are.")
        index = self.variants.index(variant)
        weights = [weight[index].T.cpu() for weight in self.stack.weights]
        hidden = tuple(len(weight) for weight in weights[:-1])
        model = MlpSettings(hidden=hidden, dropout=self.dropout).create_network(weights[0].shape[1])
        with torch.no_grad():
            for layer, weight, bias in zip(model.linear_layers(), weights, self.stack.biases, strict=True):
                layer.weight.copy_(weight)
                layer.bias.copy_(bias[index])
        return model.eval()

    def history(self, **names: str) -> pa.Table:
        """Table "history".

        Args:
            **names: Variant columns that the models do not hold: sampler, encoder, student.
        """
        return as_table(self.epochs.assign(**{"train_dataset": self.train_dataset, "teacher": "", **names}), "history")

    def save(self, path: str | Path, metadata: Mapping[str, str] | None = None) -> None:
        """Write the weights as safetensors, atomically; variants and `metadata` go into the file's header."""
        tensors = {f"weight.{layer}": tensor for layer, tensor in enumerate(self.stack.weights)}
        tensors |= {f"bias.{layer}": tensor for layer, tensor in enumerate(self.stack.biases)}
        identity = {
            "train_dataset": self.train_dataset,
            "variants": [asdict(variant) for variant in self.variants],
            "dropout": self.dropout,
        }
        header = {**(metadata or {}), "mlps": json.dumps(identity)}
        write_atomically(path, lambda temporary: save_tensors(tensors, temporary, header))


def load_mlps(path: str | Path, device: str = "cpu") -> TrainedMlps:
    """Read trained MLPs that `TrainedMlps.save` wrote.

    Raises:
        InputError: The file is missing or damaged, or does not hold trained MLPs.
    """
    try:
        tensors, metadata = load_tensors(path)
        identity = json.loads(metadata["mlps"])
    except FileNotFoundError:
        raise InputError(f"{path}: no such weights; run the training stage.") from None
    except SafetensorError as error:
        raise InputError(f"{path}: not readable weights ({error}); delete it and run its stage again.") from None
    except KeyError:
        raise InputError(f"{path}: does not hold trained MLPs; give it those of train_mlps.") from None
    layers = range(len(tensors) // 2)
    weights, biases = ([tensors[f"{kind}.{layer}"].to(device) for layer in layers] for kind in ("weight", "bias"))
    variants = [Variant(**variant) for variant in identity["variants"]]
    return TrainedMlps(identity["train_dataset"], variants, StackedMlps(weights, biases), tuple(identity["dropout"]))
