"""RedNet: residual networks of involutions (arXiv 2103.06255)."""

from timm.layers import ConvNormAct
from torch import Tensor, nn

from iqadistill.errors import InputError
from iqadistill.models.rkiqt.involution import Involution
from iqadistill.models.weights_file import check_state, read_state_dict, without_prefix

BLOCKS = {26: (1, 2, 4, 1), 38: (2, 3, 5, 2), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}
CHANNELS = (256, 512, 1024, 2048)
CLASSES = 1000


class RedNet(nn.Module):
    """RedNet, arXiv 2103.06255: a ResNet with involutions, 7 x 7 in its blocks and 3 x 3 in the middle of its stem.

    RedNet-101 has 25.65 million parameters. Pixels are normalised as for the published networks: by ImageNet's mean
    (0.485, 0.456, 0.406) and standard deviation (0.229, 0.224, 0.225).

    Args:
        depth: Depth of the network: 26, 38, 50 or 101.
        num_classes: Number of outputs.
        weights: "none" (random) or the path of a checkpoint that the authors published (github.com/d-li14/involution,
            .pth). Its classifier is used as well where `num_classes` is ImageNet's 1000.

    Raises:
        InputError: There is no such depth, `num_classes` is below 1, or the file does not hold this network.
    """

    def __init__(self, depth: int, num_classes: int = CLASSES, weights: str = "none"):
        super().__init__()
        if num_classes < 1:
            raise InputError(f"rednet{depth}: num_classes {num_classes}, expected at least 1.")
        self.backbone = RedNetStages(depth)
        self.fc = nn.Linear(CHANNELS[-1], num_classes)
        if weights in ("hub", "packaged"):
            raise InputError(
                f"rednet{depth}: no weights to download; set weights to the path of a published checkpoint, or to none."
            )
        if weights != "none":
            self._fill(weights, depth)

    def forward(self, pixels: Tensor) -> Tensor:
        """Outputs (B, num_classes), or (B,) where that is 1, of normalised pixels (B, 3, H, W)."""
        outputs = self.fc(self.stages(pixels)[-1].mean((2, 3)))
        return outputs.squeeze(1) if self.fc.out_features == 1 else outputs

    def stages(self, pixels: Tensor) -> list[Tensor]:
        """Maps of 256, 512, 1024 and 2048 channels at strides 4, 8, 16 and 32 of normalised pixels (B, 3, H, W)."""
        return self.backbone(pixels)

    def _fill(self, path: str, depth: int) -> None:
        own = self.state_dict()
        published = {f"head.{name}" if name.startswith("fc.") else name: tensor for name, tensor in own.items()}
        state = without_prefix(read_state_dict(path), published, path)
        state = {name.removeprefix("head."): tensor for name, tensor in state.items()}
        if self.fc.out_features != CLASSES:
            state |= {name: tensor for name, tensor in own.items() if name.startswith("fc.")}
        check_state(state, own, path, f"RedNet-{depth}")
        self.load_state_dict(state)


class RedNetStages(nn.Module):
    """RedNet without its classifier.

    Args:
        depth: Depth of the network: 26, 38, 50 or 101.

    Raises:
        InputError: There is no such depth.
    """

    layer1: nn.Sequential
    layer2: nn.Sequential
    layer3: nn.Sequential
    layer4: nn.Sequential

    def __init__(self, depth: int):
        super().__init__()
        if depth not in BLOCKS:
            raise InputError(f"rednet: depth {depth}, expected {', '.join(map(str, BLOCKS))}.")
        self.stem = nn.Sequential(
            ConvNormAct(3, 32, 3, stride=2), Involution(32, 3, 1), nn.BatchNorm2d(32), nn.ReLU(), ConvNormAct(32, 64, 3)
        )
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        inputs = 64
        for stage, (blocks, channels) in enumerate(zip(BLOCKS[depth], CHANNELS, strict=True), 1):
            first = Bottleneck(inputs, channels, 1 if stage == 1 else 2)
            others = (Bottleneck(channels, channels, 1) for _ in range(blocks - 1))
            self.add_module(f"layer{stage}", nn.Sequential(first, *others))
            inputs = channels
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            elif isinstance(module, Bottleneck):
                nn.init.zeros_(module.bn3.weight)

    def forward(self, pixels: Tensor) -> list[Tensor]:
        """Maps of the four stages, shallow to deep, of normalised pixels (B, 3, H, W)."""
        maps, stages = self.maxpool(self.stem(pixels)), []
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            maps = stage(maps)
            stages.append(maps)
        return stages


class Bottleneck(nn.Module):
    """Residual block: 1 x 1 convolution, 7 x 7 involution, 1 x 1 convolution, and a shortcut.

    Args:
        inputs: Channels of the maps (B, inputs, H, W) that come in.
        channels: Channels of the maps (B, channels, ceil(H / stride), ceil(W / stride)) that go out.
        stride: Stride of the involution and of the shortcut.
    """

    def __init__(self, inputs: int, channels: int, stride: int):
        super().__init__()
        middle = channels // 4
        self.conv1 = nn.Conv2d(inputs, middle, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(middle)
        self.conv2 = Involution(middle, 7, stride)
        self.bn2 = nn.BatchNorm2d(middle)
        self.conv3 = nn.Conv2d(middle, channels, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU()
        self.downsample = None
        if inputs != channels:
            self.downsample = nn.Sequential(
                nn.Conv2d(inputs, channels, 1, stride, bias=False), nn.BatchNorm2d(channels)
            )

    def forward(self, maps: Tensor) -> Tensor:
        """Maps (B, channels, h, w) of maps (B, inputs, H, W)."""
        residual = self.relu(self.bn1(self.conv1(maps)))
        residual = self.relu(self.bn2(self.conv2(residual)))
        residual = self.bn3(self.conv3(residual))
        return self.relu(residual + (self.downsample(maps) if self.downsample else maps))
