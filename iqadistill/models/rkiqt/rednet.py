"""Residual networks of involutions."""

from pathlib import Path
from pickle import UnpicklingError  # what torch.load raises when a file asks for more than tensors

import torch
from timm.layers import ConvNormAct
from torch import Tensor, nn

from iqadistill.errors import InputError
from iqadistill.models.rkiqt.involution import Involution

BLOCKS = {26: (1, 2, 4, 1), 38: (2, 3, 5, 2), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}
CHANNELS = (256, 512, 1024, 2048)
CLASSES = 1000


class RedNet(nn.Module):
    """RedNet, arXiv 2103.06255: a ResNet whose 3 x 3 convolutions are 7 x 7 involutions, and the middle one of its stem a 3 x 3.

    RedNet-101 has 25.65 million parameters. Pixels come normalised, as a published network saw them: by ImageNet's mean (0.485,
    0.456, 0.406) and standard deviation (0.229, 0.224, 0.225).

    Args:
        depth: 26, 38, 50 or 101.
        num_classes: Numbers out.
        pretrained: False (random weights) or the path of a checkpoint the authors published (github.com/d-li14/involution, .pth). Its
            classifier is taken too where `num_classes` is ImageNet's 1000.

    Raises:
        InputError: There is no such depth, no class, or the file does not hold this network.
    """

    def __init__(self, depth: int, num_classes: int = CLASSES, pretrained: bool | str = False):
        super().__init__()
        if num_classes < 1:
            raise InputError(f"rednet{depth}: num_classes {num_classes}, expected at least 1.")
        self.backbone = RedNetStages(depth)
        self.fc = nn.Linear(CHANNELS[-1], num_classes)
        if pretrained is True:
            raise InputError(
                f"rednet{depth}: no weights to download; give the path of a checkpoint as pretrained, or false."
            )
        if pretrained:
            self._fill(Path(pretrained), depth)

    def forward(self, pixels: Tensor) -> Tensor:
        """Numbers (B, num_classes), or (B,) where that is 1, of normalised pixels (B, 3, H, W)."""
        found = self.fc(self.stages(pixels)[-1].mean((2, 3)))
        return found.squeeze(1) if self.fc.out_features == 1 else found

    def stages(self, pixels: Tensor) -> list[Tensor]:
        """Maps of 256, 512, 1024 and 2048 channels at strides 4, 8, 16 and 32 of normalised pixels (B, 3, H, W)."""
        return self.backbone(pixels)

    def _fill(self, path: Path, depth: int) -> None:
        state = {name.removeprefix("head."): tensor for name, tensor in _read(path).items()}
        if self.fc.out_features != CLASSES:
            own = {name: tensor for name, tensor in self.state_dict().items() if name.startswith("fc.")}
            state = {name: tensor for name, tensor in state.items() if not name.startswith("fc.")} | own
        try:
            self.load_state_dict(state)
        except RuntimeError as error:
            reason = " ".join(str(error).split())[:300]
            raise InputError(
                f"{path}: not the weights of RedNet-{depth} ({reason}); give the file of this depth."
            ) from None


class RedNetStages(nn.Module):
    """RedNet without its classifier.

    Args:
        depth: 26, 38, 50 or 101.

    Raises:
        InputError: There is no such depth.
    """

    def __init__(self, depth: int):
        super().__init__()
        if depth not in BLOCKS:
            raise InputError(f"rednet: depth {depth}, expected {', '.join(map(str, BLOCKS))}.")
        self.stem = nn.Sequential(
            ConvNormAct(3, 32, 3, stride=2), Involution(32, 3, 1), nn.BatchNorm2d(32), nn.ReLU(), ConvNormAct(32, 64, 3)
        )
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        before = 64
        for number, (blocks, channels) in enumerate(zip(BLOCKS[depth], CHANNELS, strict=True), 1):
            first = Bottleneck(before, channels, 1 if number == 1 else 2)
            others = (Bottleneck(channels, channels, 1) for _ in range(blocks - 1))
            self.add_module(f"layer{number}", nn.Sequential(first, *others))
            before = channels
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            elif isinstance(module, Bottleneck):
                nn.init.zeros_(module.bn3.weight)

    def forward(self, pixels: Tensor) -> list[Tensor]:
        """Maps of the four stages, shallow to deep, of normalised pixels (B, 3, H, W)."""
        maps, found = self.maxpool(self.stem(pixels)), []
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            maps = stage(maps)
            found.append(maps)
        return found


class Bottleneck(nn.Module):
    """Maps (B, before, H, W) to (B, channels, H / stride, W / stride): 1 x 1 convolution, involution, 1 x 1 convolution, and a short cut."""

    def __init__(self, before: int, channels: int, stride: int):
        super().__init__()
        middle = channels // 4
        self.conv1 = nn.Conv2d(before, middle, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(middle)
        self.conv2 = Involution(middle, 7, stride)
        self.bn2 = nn.BatchNorm2d(middle)
        self.conv3 = nn.Conv2d(middle, channels, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU()
        self.downsample = None
        if before != channels:
            self.downsample = nn.Sequential(
                nn.Conv2d(before, channels, 1, stride, bias=False), nn.BatchNorm2d(channels)
            )

    def forward(self, maps: Tensor) -> Tensor:
        """Maps (B, channels, h, w) of maps (B, before, H, W)."""
        found = self.relu(self.bn1(self.conv1(maps)))
        found = self.relu(self.bn2(self.conv2(found)))
        found = self.bn3(self.conv3(found))
        return self.relu(found + (self.downsample(maps) if self.downsample else maps))


def _read(path: Path) -> dict[str, Tensor]:
    """The state dict of a published checkpoint."""
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise InputError(
            f"{path}: no such checkpoint; give the path of a published RedNet, or pretrained: false."
        ) from None
    except (UnpicklingError, OSError, RuntimeError, EOFError, ValueError) as error:
        raise InputError(
            f"{path}: no readable checkpoint of tensors ({type(error).__name__}); download it anew."
        ) from None
    if not isinstance(checkpoint, dict) or not isinstance(checkpoint.get("state_dict"), dict):
        raise InputError(f"{path}: holds no state_dict; give a checkpoint as the authors of RedNet published it.")
    return checkpoint["state_dict"]
