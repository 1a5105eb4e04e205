"""The networks of checkpoints: what they compute, and that every tensor is accounted for."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from engine.errors import AssetError
from engine.peers.pixel3dmm_checkpoint import Checkpoint
from engine.peers.pixel3dmm_net import load_network
from engine.peers.pixel3dmm_vit import resampled_positions
from tests.pixel3dmm_files import BACKBONE, HEADS, WIDTH, settings, weights

SPARE = ("net.dir_norm.mlp.1", "net.uv_enc_mlp.1", "net.vol_decoder.norm")


def checkpoint(tensors: dict[str, torch.Tensor], config: dict | None = None) -> Checkpoint:
    arrays = {name: tensor.numpy() for name, tensor in tensors.items()}
    return Checkpoint(
        Path("normals.ckpt"), "0" * 64, settings() if config is None else config, arrays
    )


def test_every_tensor_is_used_or_named_as_unused() -> None:
    tensors = weights()
    net, use = load_network(checkpoint(tensors))
    assert sorted([*use.used, *use.unused]) == sorted(tensors)
    spare = [f"{name}.{kind}" for name in SPARE for kind in ("bias", "weight")]
    assert list(use.unused) == [*sorted(spare), "vertex_weight_mask"]
    assert len(use.used) == len(net.state_dict())


def test_sizes_come_from_the_file() -> None:
    sizes = load_network(checkpoint(weights()))[0].sizes
    assert (sizes.size_px, sizes.patch_px, sizes.grid) == (64, 16, 4)
    assert (sizes.backbone_width, sizes.n_backbone_blocks, sizes.n_backbone_heads) == (64, 2, 1)
    assert (sizes.width, sizes.n_blocks, sizes.n_heads, sizes.unpatch_px) == (32, 2, 4, 2)
    assert sizes.maps == ("normals",)


def test_without_hyper_parameters_shapes_and_the_published_values_stand_in() -> None:
    sizes = load_network(checkpoint(weights(channels=2), {}))[0].sizes
    assert (sizes.size_px, sizes.n_heads, sizes.maps) == (512, 8, ("uv_map",))


def test_a_second_map_for_another_pose_is_left_out() -> None:
    config = settings(pred_disentangled=True)
    net = load_network(checkpoint(weights(channels=6), config))[0]
    assert net.sizes.n_channels == 6
    assert net.sizes.channels_of("normals") == slice(0, 3)
    both = settings(prediction_type=["normals", "uv_map"])
    sizes = load_network(checkpoint(weights(channels=5), both))[0].sizes
    assert sizes.channels_of("uv_map") == slice(0, 2)  # the published order
    assert sizes.channels_of("normals") == slice(2, 5)


def attention(
    tensors: dict[str, torch.Tensor], qkv: str, out: str, heads: int
) -> nn.MultiheadAttention:
    """torch's own attention with weights of a file."""
    has_bias = f"{out}.bias" in tensors
    made = nn.MultiheadAttention(
        tensors[f"{out}.weight"].shape[0], heads, bias=has_bias, batch_first=True
    )
    made.in_proj_weight.data = tensors[qkv]
    made.out_proj.weight.data = tensors[f"{out}.weight"]
    if has_bias:
        made.in_proj_bias.data = tensors[qkv.replace("weight", "bias")]
        made.out_proj.bias.data = tensors[f"{out}.bias"]
    return made.eval()


class Plain:
    """The published forward pass once more, written with torch's own layers."""

    def __init__(self, tensors: dict[str, torch.Tensor]) -> None:
        self.t = tensors

    def linear(self, name: str, x: torch.Tensor) -> torch.Tensor:
        return functional.linear(x, self.t[f"{name}.weight"], self.t[f"{name}.bias"])

    def norm(self, name: str, x: torch.Tensor, eps: float = 1e-5) -> torch.Tensor:
        return functional.layer_norm(
            x, x.shape[-1:], self.t[f"{name}.weight"], self.t[f"{name}.bias"], eps
        )

    def backbone(self, image: torch.Tensor) -> torch.Tensor:
        at = "net.img_encoder.model."
        project = f"{at}patch_embed.proj"
        x = functional.conv2d(
            image, self.t[f"{project}.weight"], self.t[f"{project}.bias"], stride=16
        )
        x = torch.cat(
            [self.t[f"{at}cls_token"].expand(len(x), -1, -1), x.flatten(2).transpose(1, 2)], 1
        )
        x = x + resampled_positions(self.t[f"{at}pos_embed"], 4)
        for k in range(2):
            b = f"{at}blocks.{k}."
            mix = attention(self.t, f"{b}attn.qkv.weight", f"{b}attn.proj", BACKBONE // 64)
            y = self.norm(f"{b}norm1", x, 1e-6)
            x = x + mix(y, y, y, need_weights=False)[0]
            hidden = functional.gelu(self.linear(f"{b}mlp.fc1", self.norm(f"{b}norm2", x, 1e-6)))
            x = x + self.linear(f"{b}mlp.fc2", hidden)
        return self.norm(f"{at}norm", x, 1e-6)[:, 1:]

    def decoder(self, x: torch.Tensor) -> torch.Tensor:
        x = self.linear("net.vol_decoder.down_proj", x)
        for k in range(2):
            b = f"net.vol_decoder.layers.{k}."
            for part, first, second in (("", 1, 2), ("2", 3, 4)):
                attn = f"{b}self_attn{part}."
                mix = attention(self.t, f"{attn}in_proj_weight", f"{attn}out_proj", HEADS)
                x = self.norm(f"{b}norm{first}", x)  # the residual starts here
                x = x + mix(x, x, x, need_weights=False)[0]
                hidden = self.linear(f"{b}mlp{part}.0", self.norm(f"{b}norm{second}", x))
                x = x + self.linear(f"{b}mlp{part}.3", functional.gelu(hidden))
        return x

    def __call__(self, image: torch.Tensor) -> torch.Tensor:
        x = self.backbone(image)
        if "net.view_embed" in self.t:
            view = self.t["net.view_embed"][0, 0, :, 0, 0]
            x = torch.cat([x, view.expand(*x.shape[:2], -1)], dim=-1)
        x = self.decoder(x).transpose(1, 2).reshape(-1, WIDTH, 4, 4)
        for k in range(1, 4):
            name = f"net.t_conv{k}"
            x = functional.conv_transpose2d(
                x, self.t[f"{name}.weight"], self.t[f"{name}.bias"], stride=2
            )
            x = functional.gelu(x)
        x = self.linear("net.token_2_patch_content", x.permute(0, 2, 3, 1))
        n = x.shape[-1] // 4
        x = torch.einsum("nhwpqc->nchpwq", x.reshape(-1, 32, 32, 2, 2, n))
        return x.reshape(-1, n, 64, 64)


@pytest.mark.parametrize("view", [0, 16])
def test_the_network_computes_what_the_published_one_does(view: int) -> None:
    tensors = weights(view=view)
    image = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        found, wanted = load_network(checkpoint(tensors))[0](image), Plain(tensors)(image)
    assert float(wanted.std()) > 0.1
    # float32, sums in another order.
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-4 * float(wanted.abs().max()))


def test_positions_of_the_same_grid_are_not_touched() -> None:
    positions = torch.randn(1, 17, 8)
    assert resampled_positions(positions, 4) is positions


def test_positions_are_enlarged_between_and_the_first_token_kept() -> None:
    positions = torch.zeros(1, 5, 1)
    positions[0, :, 0] = torch.tensor([9.0, 0.0, 1.0, 0.0, 1.0])  # a ramp to the right
    larger = resampled_positions(positions, 4)[0, :, 0]
    assert larger[0] == 9.0
    rows = larger[1:].reshape(4, 4)
    torch.testing.assert_close(rows, rows[:1].expand(4, 4))
    assert (rows[0].diff() > 0).all()
    assert float(rows.mean()) == pytest.approx(0.5, abs=1e-6)


def changed(name: str, tensor: torch.Tensor | None) -> dict[str, torch.Tensor]:
    tensors = weights()
    if tensor is None:
        del tensors[name]
    else:
        tensors[name] = tensor
    return tensors


@pytest.mark.parametrize(
    ("tensors", "config", "words"),
    [
        (changed("net.mystery.weight", torch.ones(1)), None, "mystery.weight belongs to no part"),
        (changed("net.vol_decoder.layers.0.self_attn.learnable_scale", torch.ones(())), None,
         "learnable_scale belongs to no part"),
        (changed("net.t_conv2.bias", None), None, r"t_conv2.bias missing \(1 in all\)"),
        (changed("net.t_conv2.bias", torch.ones(3)), None, r"has shape \(3,\), expected \(32,\)"),
        (changed("net.t_conv2.bias", torch.full((WIDTH,), np.nan)), None, "not finite"),
        (changed("net.vol_decoder.down_proj.weight", None), None, "no vol_decoder.down_proj"),
        (changed("net.img_encoder.model.blocks.0.norm1.bias", None), None, "blocks.0.norm1.bias"),
        (weights(), settings(encoder_backbone="vit_base_patch16_224.dino"), "tokens are 64 wide"),
        (weights(), settings(encoder_backbone="resnet50"), "expected a DINO ViT"),
        (weights(), settings(use_plucker=True), "more than a picture"),
        (weights(), settings(prediction_type="flame_params"), "predicts flame_params"),
        (weights(), settings(prediction_type="uv_map"), "12 outputs, too many or few for uv_map"),
        (weights(), settings(num_heads=5), "cannot have 5 heads"),
        (weights(), settings() | {"train_dataset": {"img_size": [60, 60]}}, "60 px do not fit"),
        ({"conv1.weight": torch.ones(3)}, None, "but conv1.weight"),
    ],
)  # fmt: skip
def test_other_checkpoints_are_refused_with_the_reason(tensors, config, words: str) -> None:
    with pytest.raises(AssetError, match=rf"normals.ckpt is no network of Pixel3DMM's: .*{words}"):
        load_network(checkpoint(tensors, config))
