"""Axes, mirror averaging and 8-bit files of Pixel3DMM's maps."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from engine.errors import ModelContractError
from engine.peers.pixel3dmm_maps import NET_CHANNELS, MapNet, as_8_bit, head_normals


class Fixed(nn.Module):
    """A network that answers every picture with its own maps, one after another."""

    def __init__(self, maps: torch.Tensor, name: str = "normals") -> None:
        super().__init__()
        channels = slice(0, maps.shape[1])
        self.maps = maps
        self.sizes = SimpleNamespace(maps=(name,), channels_of=lambda _: channels)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.maps[: len(image)]


class Brightness(Fixed):
    """A network whose first channel is the picture, and whose others are ones."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return torch.cat([image[:, :1], torch.ones_like(image[:, :2])], dim=1)


def constant(*values: float) -> torch.Tensor:
    return torch.tensor(values)[:, None, None].expand(-1, 2, 2)


@pytest.mark.parametrize(
    ("net", "ours"),
    [
        ((1.0, 0.0, 0.0), (1, 0, 0)),  # the subject's left
        ((0.0, 0.0, -1.0), (0, 1, 0)),  # up
        ((0.0, -1.0, 0.0), (0, 0, 1)),  # out of the face
        ((0.0, -4.0, -3.0), (0, 0.6, 0.8)),  # of any length
    ],
)
def test_axes_are_x_minus_z_minus_y_of_the_networks(net, ours) -> None:
    head, is_normal = head_normals(constant(*net))
    np.testing.assert_allclose(head[0, 1], ours, atol=1e-6)
    assert is_normal.min() == 1


def test_the_channel_names_say_the_same() -> None:
    raw = torch.nn.functional.normalize(torch.randn(3, 4, 4), dim=0)
    ours = head_normals(raw)[0]
    for plane, name in zip(raw.numpy(), NET_CHANNELS, strict=True):
        sign = -1 if name.startswith("-") else 1
        np.testing.assert_allclose(plane, sign * ours[..., "xyz".index(name[-1])], atol=1e-6)


def test_where_there_is_no_direction_there_is_no_normal() -> None:
    raw = constant(1.0, 0.0, 0.0).clone()
    raw[:, 0, 0], raw[:, 0, 1] = 0.0, float("nan")
    head, is_normal = head_normals(raw)
    assert is_normal.tolist() == [[0, 0], [1, 1]]
    assert head[0, 0].tolist() == head[0, 1].tolist() == [0, 0, 1]


def test_mirrored_normals_are_turned_back_in_x_and_averaged() -> None:
    straight = torch.arange(12.0).reshape(1, 3, 2, 2)
    mirrored = torch.tensor([100.0, 200.0, 300.0])[:, None, None] + torch.tensor([[0.0, 10.0]] * 2)
    both = torch.cat([straight, mirrored[None]])
    found = MapNet(Fixed(both), "normals")(torch.zeros(1, 3, 2, 2))[0]
    # x: (0 - 110) / 2, (1 - 100) / 2; y: (4 + 210) / 2.
    assert found[0, 0].tolist() == [-55.0, -49.5]
    assert found[1, 0].tolist() == [107.0, 102.5]
    assert found[2, 1].tolist() == [160.0, 155.5]


def test_a_mirrored_picture_gives_the_mirrored_map() -> None:
    net = MapNet(Brightness(torch.zeros(1, 3, 1, 1)), "normals")
    image = torch.randn(1, 3, 4, 6)
    one, other = net(image), net(image.flip(3))
    torch.testing.assert_close(one, other.flip(3) * torch.tensor([-1.0, 1, 1])[:, None, None])


def test_without_mirroring_the_network_runs_once() -> None:
    maps = torch.randn(1, 3, 2, 2)
    assert torch.equal(MapNet(Fixed(maps), "normals", mirror=False)(torch.zeros(1, 3, 2, 2)), maps)


def test_uv_is_mirrored_about_the_textures_middle_and_becomes_shares() -> None:
    both = torch.stack([constant(0.4, -0.2), constant(-0.385, -0.2)])
    found = MapNet(Fixed(both, "uv_map"), "uv_map")(torch.zeros(1, 3, 2, 2))[0, :, 0, 0]
    # -(-0.385) + 0.015 = 0.4: both say the same; then (0.4 + 1) / 2.
    np.testing.assert_allclose(found.numpy(), [0.7, 0.4], atol=1e-6)


def test_uv_beyond_its_range_is_cut() -> None:
    maps = torch.stack([constant(3.0, -3.0)])
    found = MapNet(Fixed(maps, "uv_map"), "uv_map", mirror=False)(torch.zeros(1, 3, 2, 2))
    assert found[0, :, 0, 0].tolist() == [1.0, 0.0]


def test_exchanged_checkpoints_are_told() -> None:
    with pytest.raises(
        ModelContractError, match=r"predicts uv_map, not normals; take normals.ckpt"
    ):
        MapNet(Fixed(torch.zeros(1, 2, 1, 1), "uv_map"), "normals")


def test_8_bit_files_cast_and_do_not_round() -> None:
    values = torch.tensor([-1.0, 1.0, 0.0, 254.9 / 127.5 - 1, -5.0])
    kept = as_8_bit(values, -1.0, 1.0)
    levels = (kept + 1) * 127.5
    np.testing.assert_allclose(levels.numpy(), [0, 255, 127, 254, 0], atol=1e-4)
