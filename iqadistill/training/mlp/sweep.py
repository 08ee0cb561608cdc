"""A sweep: every split, selector and keep rate of one student on one table of embeddings."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import pandas as pd
import pyarrow as pa
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from iqadistill.errors import InputError
from iqadistill.models.mlp import MLP
from iqadistill.tables import as_table, write_atomically
from iqadistill.training.mlp.stack import Stack


@dataclass(frozen=True)
class Variant:
    """What tells the models of a sweep apart."""

    selector: str
    keep: float
    split: int


@dataclass
class Sweep:
    """Trained models on raw embeddings: the standardisation is folded into their first layers.

    Attributes:
        train_dataset: Name of the dataset they were trained on.
        variants: One a model.
        stack: Their weights, in the order of `variants`.
        dropout: Rates after the hidden layers.
        epochs: Training history, a row a model and epoch; empty for a loaded sweep.
    """

    train_dataset: str
    variants: list[Variant]
    stack: Stack
    dropout: tuple[float, ...]
    epochs: pd.DataFrame = field(default_factory=pd.DataFrame)

    def model(self, variant: Variant) -> MLP:
        """One model by itself, on the CPU, in eval mode.

        Raises:
            InputError: The sweep has no such variant.
        """
        if variant not in self.variants:
            raise InputError(f"{variant}: not in this sweep; it holds {len(self.variants)} others.")
        index = self.variants.index(variant)
        weights = [weight[index].T.cpu() for weight in self.stack.weights]
        model = MLP(weights[0].shape[1], [len(weight) for weight in weights[:-1]], self.dropout)
        with torch.no_grad():
            for layer, weight, bias in zip(model.layers, weights, self.stack.biases, strict=True):
                layer.weight.copy_(weight)
                layer.bias.copy_(bias[index])
        return model.eval()

    def history(self, **names: str) -> pa.Table:
        """Table "history".

        Args:
            **names: Variant columns the sweep does not know itself: sampler, encoder, student.
        """
        return as_table(self.epochs.assign(**{"train_dataset": self.train_dataset, "teacher": "", **names}), "history")

    def save(self, path: str | Path, metadata: Mapping[str, str] | None = None) -> None:
        """Write the weights as safetensors, atomically; variants and `metadata` go into the file's header."""
        tensors = {f"weight.{layer}": tensor for layer, tensor in enumerate(self.stack.weights)}
        tensors |= {f"bias.{layer}": tensor for layer, tensor in enumerate(self.stack.biases)}
        tensors = {name: tensor.cpu().contiguous() for name, tensor in tensors.items()}
        identity = {
            "train_dataset": self.train_dataset,
            "variants": [asdict(variant) for variant in self.variants],
            "dropout": self.dropout,
        }
        header = {**(metadata or {}), "sweep": json.dumps(identity)}
        write_atomically(path, lambda temporary: save_file(tensors, temporary, header))


def load_sweep(path: str | Path, device: str = "cpu") -> Sweep:
    """Read a sweep that `Sweep.save` wrote.

    Raises:
        InputError: The file is missing, or holds no sweep.
    """
    try:
        with safe_open(path, "pt", device=device) as file:
            identity = json.loads((file.metadata() or {})["sweep"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except FileNotFoundError:
        raise InputError(f"{path}: no such weights; run the training stage.") from None
    except (SafetensorError, KeyError) as error:
        raise InputError(f"{path}: holds no trained sweep ({error}); run the training stage again.") from None
    layers = range(len(tensors) // 2)
    stack = Stack([tensors[f"weight.{layer}"] for layer in layers], [tensors[f"bias.{layer}"] for layer in layers])
    variants = [Variant(**variant) for variant in identity["variants"]]
    return Sweep(identity["train_dataset"], variants, stack, tuple(identity["dropout"]))


def concatenate(stacks: Sequence[Stack]) -> Stack:
    """One stack of all models, in order."""
    layers = range(len(stacks[0].weights))
    return Stack(
        [torch.cat([stack.weights[layer] for stack in stacks]) for layer in layers],
        [torch.cat([stack.biases[layer] for stack in stacks]) for layer in layers],
    )
