"""How fast this machine is: a calibration of some seconds, and rates to assume where nothing is measured."""

from dataclasses import dataclass

CARD_TFLOPS = 30.0  # achieved in float32 by a large card of today, assumed where nothing is measured


@dataclass(frozen=True)
class Rates:
    """Rates of a machine.

    Attributes:
        encoder: Operations a second of an encoder.
        forward: Operations a second of passes of deep networks without gradient.
        training: Operations a second of passes with gradient.
        mlp: Operations a second of stacked MLPs.
        selection: Operations a second of selectors and regressions.
        decoding: Pixels a second that are decoded, of PNG files.
        cutting: Pixels a second of crops that are cut as bytes; of viewports see `cutting_effort`.
        rendering: Pixels a second of images that are rendered.
        searching: Pixels a second of images that scanpaths are drawn on.
        evaluating: Rows of predictions times draws of contents a second.
        launch: Seconds that Snakemake takes to start a job.
        imports: Seconds in which a job imports what it needs, without PyTorch.
        torch_imports: The same with PyTorch.
        timm_imports: The same with PyTorch and timm.
        drawing: Seconds that a figure, the comparisons or the report take.
        card: Whether networks run on a card, and their rates are a card's; all other rates are those of one core.
        source: Where the rates come from, for people.
    """

    encoder: float = 60e9
    forward: float = 25e9
    training: float = 30e9
    mlp: float = 50e9
    selection: float = 30e9
    decoding: float = 40e6
    cutting: float = 400e6
    rendering: float = 8e6
    searching: float = 16e6
    evaluating: float = 5e6
    launch: float = 3.0
    imports: float = 0.5
    torch_imports: float = 1.5
    timm_imports: float = 3.0
    drawing: float = 1.0
    card: bool = False
    source: str = "rates of one core of a common server, assumed"


def card_rates(tflops: float = CARD_TFLOPS) -> Rates:
    """Rates with a card that achieves so many TFLOP/s; those of a core are assumed."""
    achieved = tflops * 1e12
    return Rates(
        encoder=achieved,
        forward=achieved,
        training=achieved,
        mlp=achieved,
        card=True,
        source=f"a card at {tflops:g} TFLOP/s; decoding, selection and job starts as on a core of a common server",
    )
