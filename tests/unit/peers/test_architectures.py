"""The peers' networks: names and sizes as published, numbers as worked out another way."""

import numpy as np
import pytest
import torch
from torch import nn

from engine.onnx_graph import fold_norms
from engine.peers.architectures import ARCHITECTURES, example_image, random_network
from engine.peers.deca_net import DecaNet, EmocaNet, EmocaTwoHeadsNet
from engine.peers.iresnet import IResNet100
from engine.peers.layouts import matched, recognise
from engine.peers.mica_net import MicaNet
from engine.peers.mobilenetv3 import LARGE, SMALL, MobileNetV3
from engine.peers.resnet50 import ResNet50
from engine.peers.smirk_net import SmirkNet
from tests.peer_layouts import FILES

RANDOM = np.random.default_rng(0)


def shapes_of(net: nn.Module) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in net.state_dict().items()}


def stirred(net: nn.Module, seed: int = 0) -> nn.Module:
    """The network in evaluation mode, its normalisations unlike those of a new one."""
    generator = torch.Generator().manual_seed(seed)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            for array in (module.weight, module.bias, module.running_mean, module.running_var):
                array.data = 0.5 + torch.rand(array.shape, generator=generator)
    return net.eval()


# What the published files hold.


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_tensor_of_the_published_files_is_used_or_named(name: str) -> None:
    with torch.device("meta"):
        tensors = {key: torch.empty(shape) for key, shape in FILES[name]().items()}
        net = ARCHITECTURES[name].make()
    assert recognise(tensors) == name
    used, unused = matched(name, tensors)
    assert {key: tuple(tensor.shape) for key, tensor in used.items()} == shapes_of(net)
    assert len(used) + sum(n for _, n in unused) == len(tensors)


def test_unused_tensors_are_named_by_their_part_of_the_file() -> None:
    groups = {}
    for name, file in FILES.items():
        tensors = {key: torch.empty(shape, device="meta") for key, shape in file().items()}
        groups[name] = dict(matched(name, tensors)[1])
    assert groups["deca"] == {"E_detail": 322, "D_detail": 2}
    assert groups["emoca"] == {"state_dict.deca.flame": 1, "state_dict.deca.render": 1}
    assert groups["emoca-two-heads"] == {"state_dict.deca.E_expression.resnet": 322}
    assert groups["smirk"] == {"smirk_generator": 1}
    assert groups["mica"] == {"flameModel.generator": 1}


def test_networks_have_the_published_numbers_of_weights() -> None:
    def millions(net: nn.Module) -> float:
        return sum(p.numel() for p in net.parameters()) / 1e6

    # torchvision: 25.557 M with a classifier of 1000 classes.
    assert millions(ResNet50()) + (2048 * 1000 + 1000) / 1e6 == pytest.approx(25.557, abs=5e-4)
    # timm: 3.92 M and 2.04 M with the convolution before the classifier, and the classifier.
    large, small = millions(MobileNetV3(LARGE)), millions(MobileNetV3(SMALL))
    assert large + (961 * 1280 + 1281 * 1000) / 1e6 == pytest.approx(3.92, abs=5e-3)
    assert small + (577 * 1024 + 1025 * 1000) / 1e6 == pytest.approx(2.04, abs=5e-3)
    # insightface: 65.2 M.
    assert millions(IResNet100()) == pytest.approx(65.2, abs=0.1)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_random_networks_give_a_row_of_codes_and_the_same_ones_again(name: str) -> None:
    image = example_image(name)
    with torch.inference_mode():
        codes = random_network(name, seed=3)(image)
        again = random_network(name, seed=3)(image)
    assert codes.shape == (1, ARCHITECTURES[name].n_codes)
    assert codes.isfinite().all()
    torch.testing.assert_close(codes, again, rtol=0, atol=0)
    low = ARCHITECTURES[name].low
    assert low - 1e-6 <= image.min() < low + 0.1
    assert 0.9 < image.max() <= 1.0


@pytest.mark.parametrize("name", ["deca", "smirk", "mica"])
def test_normalisation_folded_into_convolutions_as_for_export_changes_nothing(name: str) -> None:
    net = stirred(ARCHITECTURES[name].make())
    image = example_image(name)
    with torch.inference_mode():
        wanted = net(image)
        fold_norms(net)
        found = net(image)
    kinds = {type(module).__name__ for module in net.modules()}
    assert "BatchNorm2d" not in kinds or name == "mica"  # some of its stand before convolutions
    assert wanted.abs().max() > 0.01
    assert (found - wanted).abs().max() < 1e-3 * wanted.abs().max()


# Numbers, worked out in numpy.


def convolved(x: np.ndarray, conv: nn.Conv2d, pad: tuple[tuple[int, int], ...]) -> np.ndarray:
    """(C, H, W) -> (D, H', W') by the sum over the kernel's cells, padded by hand."""
    weight = conv.weight.detach().double().numpy()
    (k, _), stride, groups = conv.kernel_size, conv.stride[0], conv.groups
    x = np.pad(x, ((0, 0), *pad))
    height, width = ((n - k) // stride + 1 for n in x.shape[1:])
    per_in, per_out = len(x) // groups, len(weight) // groups
    out = np.zeros((len(weight), height, width))
    for d in range(len(weight)):
        first = d // per_out * per_in
        for c in range(per_in):
            for i in range(k):
                for j in range(k):
                    rows = slice(i, i + stride * height, stride)
                    columns = slice(j, j + stride * width, stride)
                    out[d] += weight[d, c, i, j] * x[first + c, rows, columns]
    return out


def normalised(x: np.ndarray, norm: nn.Module, epsilon: float) -> np.ndarray:
    weight, bias, mean, variance = (
        getattr(norm, name).detach().double().numpy().reshape(-1, *[1] * (x.ndim - 1))
        for name in ("weight", "bias", "running_mean", "running_var")
    )
    return (x - mean) / np.sqrt(variance + epsilon) * weight + bias


def same(n: int, stride: int, k: int = 3) -> tuple[int, int]:
    """TensorFlow's "SAME": as much as the outputs of ceil(n / stride) need, less of it before."""
    total = max((int(np.ceil(n / stride)) - 1) * stride + k - n, 0)
    return total // 2, total - total // 2


def relu(x: np.ndarray) -> np.ndarray:
    return np.maximum(x, 0)


def output(module: nn.Module, x: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        return module(torch.from_numpy(x)[None].float())[0].double().numpy()


def test_a_bottleneck_is_what_it_is_by_hand() -> None:
    block = stirred(ResNet50().layer2)[0]
    x = RANDOM.normal(size=(256, 6, 6))
    inner = relu(normalised(convolved(x, block.conv1, ((0, 0), (0, 0))), block.bn1, 1e-5))
    inner = relu(normalised(convolved(inner, block.conv2, ((1, 1), (1, 1))), block.bn2, 1e-5))
    inner = normalised(convolved(inner, block.conv3, ((0, 0), (0, 0))), block.bn3, 1e-5)
    aside = convolved(x, block.downsample[0], ((0, 0), (0, 0)))
    by_hand = relu(inner + normalised(aside, block.downsample[1], 1e-5))
    assert by_hand.shape == (512, 3, 3)
    np.testing.assert_allclose(output(block, x), by_hand, atol=1e-4)  # float32 sums


def test_an_inverted_block_is_what_it_is_by_hand_with_an_odd_and_an_even_map() -> None:
    block = stirred(MobileNetV3(SMALL).blocks)[1][0]
    for n in (6, 7):
        x = RANDOM.normal(size=(16, n, n))
        none, pad = ((0, 0), (0, 0)), (same(n, 2), same(n, 2))
        inner = relu(normalised(convolved(x, block.conv_pw, none), block.bn1, 1e-3))
        inner = relu(normalised(convolved(inner, block.conv_dw, pad), block.bn2, 1e-3))
        by_hand = normalised(convolved(inner, block.conv_pwl, none), block.bn3, 1e-3)
        assert by_hand.shape == (24, n - n // 2, n - n // 2)
        np.testing.assert_allclose(output(block, x), by_hand, atol=1e-5)


def test_tensorflows_padding_puts_the_odd_pixel_right_and_below() -> None:
    stem = MobileNetV3(SMALL).conv_stem
    stem.weight.data.zero_()
    stem.weight.data[0, 0, 0, 0] = 1.0  # looks at the upper left of its window
    x = np.zeros((3, 8, 8))
    x[0] = np.arange(64).reshape(8, 8)
    # Windows begin at 0, 2, 4, 6; with a pixel before they would begin at -1.
    np.testing.assert_array_equal(output(stem, x)[0], x[0, ::2, ::2])


def test_a_block_of_the_recogniser_is_what_it_is_by_hand() -> None:
    block = stirred(IResNet100().layer1)[0]
    block.prelu.weight.data = torch.linspace(-0.5, 0.5, 64)
    x = RANDOM.normal(size=(64, 4, 4))
    pad = ((1, 1), (1, 1))
    inner = normalised(convolved(normalised(x, block.bn1, 1e-5), block.conv1, pad), block.bn2, 1e-5)
    slope = np.linspace(-0.5, 0.5, 64)[:, None, None]
    inner = np.where(inner > 0, inner, slope * inner)
    inner = normalised(convolved(inner, block.conv2, pad), block.bn3, 1e-5)
    aside = convolved(x, block.downsample[0], ((0, 0), (0, 0)))
    by_hand = inner + normalised(aside, block.downsample[1], 1e-5)
    np.testing.assert_allclose(output(block, x), by_hand, atol=1e-4)


def test_micas_regressor_takes_the_direction_of_an_identity_alone() -> None:
    net = MicaNet().eval()
    identity = torch.from_numpy(RANDOM.normal(size=(1, 512))).float()
    net.arcface.forward = lambda image: image
    h = identity.double().numpy()[0]
    h = h / np.linalg.norm(h)
    for layer in net.regressor.network:
        h = layer.weight.detach().double().numpy() @ h + layer.bias.detach().double().numpy()
        h = np.where(h > 0, h, 0.2 * h)
    last = net.regressor.output
    h = last.weight.detach().double().numpy() @ h + last.bias.detach().double().numpy()
    with torch.inference_mode():
        for length in (1.0, 7.0):
            np.testing.assert_allclose(net(length * identity)[0].numpy(), h, atol=1e-6)


# Codes in their order.


def constant(layer: nn.Linear, values: np.ndarray) -> None:
    """Make a layer give the same whatever it is given."""
    layer.weight.data.zero_()
    layer.bias.data = torch.from_numpy(values).float()


def test_smirks_lids_stay_between_open_and_closed_and_its_jaw_only_opens() -> None:
    net = SmirkNet().eval()
    constant(net.pose_encoder.pose_cam_layers[0], np.array([0.1, 0.2, 0.3, 7.0, 0.4, 0.5]))
    constant(net.shape_encoder.shape_layers[0], np.arange(300.0))
    last = np.r_[np.arange(50.0), -1.0, 2.0, -0.5, 0.5, -0.5]
    constant(net.expression_encoder.expression_layers[0], last)
    with torch.inference_mode():
        codes = net(example_image("smirk"))[0].numpy()
    pose_camera = [0.1, 0.2, 0.3, 7.0, 0.4, 0.5]
    lids_jaw = [0.0, 1.0, 0.0, 0.2, -0.2]
    wanted = np.r_[pose_camera, np.arange(300), np.arange(50), lids_jaw]
    np.testing.assert_allclose(codes, wanted, atol=1e-6)


@pytest.mark.parametrize("kind", [EmocaNet, EmocaTwoHeadsNet])
def test_emoca_replaces_expression_and_jaw_and_nothing_else(kind: type[nn.Module]) -> None:
    net = kind().eval()
    constant(net.E_flame.layers[2], np.arange(236.0))
    constant(net.E_expression.layers[2], 1000.0 + np.arange(53))
    with torch.inference_mode():
        codes = net(example_image("emoca"))[0].numpy()
    wanted = np.arange(236.0)
    wanted[150:200] = 1000 + np.arange(50)  # after shape 100 and texture 50
    wanted[203:206] = 1050 + np.arange(3)  # after the root's 3
    np.testing.assert_array_equal(codes, wanted)


def test_both_of_emocas_forms_see_alike_where_their_backbones_are_alike() -> None:
    two = random_network("emoca-two-heads", 1)
    apart = EmocaNet().eval()
    weights = dict(two.state_dict())
    weights |= {
        name.replace("E_flame.encoder", "E_expression.encoder"): tensor
        for name, tensor in two.state_dict().items()
        if name.startswith("E_flame.encoder")
    }
    apart.load_state_dict(weights)
    image = example_image("emoca")
    with torch.inference_mode():
        torch.testing.assert_close(two(image), apart(image), rtol=0, atol=1e-6)


def test_deca_gives_its_codes_as_they_are() -> None:
    net = DecaNet().eval()
    constant(net.E_flame.layers[2], np.arange(236.0))
    with torch.inference_mode():
        codes = net(example_image("deca"))[0].numpy()
    np.testing.assert_array_equal(codes, np.arange(236.0))
