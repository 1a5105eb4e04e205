"""Checkpoints in the form of Pixel3DMM's, small and with random weights.

`lightning_bytes` writes what Lightning and OmegaConf write, by stand-ins for their classes, which
need not be installed: the pickle names the same globals and uses the same opcodes.
"""

import io
import sys
import types
import typing
import zipfile
from collections import OrderedDict, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

import torch

WIDTH, HEADS, BLOCKS, DEPTH, BACKBONE, PATCH, GRID = 32, 4, 2, 2, 64, 16, 4

SETTINGS = {
    "n_views": 1,
    "gpu_id": [0],
    "train_dataset": {"img_size": [64, 64], "n_group": "${n_views}"},
    "model": {
        "prediction_type": "normals",
        "num_layers": BLOCKS,
        "num_heads": HEADS,
        "embedding_dim": WIDTH,
        "conv_dec": True,
        "feature_map_type": "DINO",
        "use_plucker": False,
        "attn_drop": 0.2,
        "ckpt_path": None,
    },
}


def weights(channels: int = 3, *, view: int = 0, seed: int = 0) -> dict[str, torch.Tensor]:
    """Every tensor of such a file by its name, spare ones among them."""
    shapes: dict[str, tuple[int, ...]] = {}
    vit = "net.img_encoder.model."
    shapes |= {f"{vit}cls_token": (1, 1, BACKBONE), f"{vit}pos_embed": (1, 10, BACKBONE)}
    shapes |= linear(f"{vit}patch_embed.proj", BACKBONE, 3, PATCH, PATCH)
    for k in range(DEPTH):
        block = f"{vit}blocks.{k}."
        shapes |= norm(f"{block}norm1", BACKBONE) | norm(f"{block}norm2", BACKBONE)
        shapes |= linear(f"{block}attn.qkv", 3 * BACKBONE, BACKBONE)
        shapes |= linear(f"{block}attn.proj", BACKBONE, BACKBONE)
        shapes |= linear(f"{block}mlp.fc1", 4 * BACKBONE, BACKBONE)
        shapes |= linear(f"{block}mlp.fc2", BACKBONE, 4 * BACKBONE)
    shapes |= norm(f"{vit}norm", BACKBONE)
    head = "net.vol_decoder."
    shapes |= linear(f"{head}down_proj", WIDTH, BACKBONE + view)
    for k in range(BLOCKS):
        block = f"{head}layers.{k}."
        for part in ("", "2"):
            shapes[f"{block}self_attn{part}.in_proj_weight"] = (3 * WIDTH, WIDTH)
            shapes[f"{block}self_attn{part}.out_proj.weight"] = (WIDTH, WIDTH)
            shapes |= linear(f"{block}mlp{part}.0", 4 * WIDTH, WIDTH)
            shapes |= linear(f"{block}mlp{part}.3", WIDTH, 4 * WIDTH)
        for n in range(1, 5):
            shapes |= norm(f"{block}norm{n}", WIDTH)
    for k in range(1, 4):
        shapes |= {f"net.t_conv{k}.weight": (WIDTH, WIDTH, 2, 2), f"net.t_conv{k}.bias": (WIDTH,)}
    shapes |= linear("net.token_2_patch_content", 4 * channels, WIDTH)
    if view:
        shapes["net.view_embed"] = (1, 2, view, 1, 1)
    shapes |= norm(f"{head}norm", WIDTH) | linear("net.uv_enc_mlp.1", BACKBONE, 24)
    shapes |= linear("net.dir_norm.mlp.1", 2 * BACKBONE, 32) | {"vertex_weight_mask": (7,)}
    made = torch.Generator().manual_seed(seed)
    return {
        name: torch.randn(shape, generator=made) * 0.3 + (1.0 if is_gain(name, shape) else 0.0)
        for name, shape in shapes.items()
    }


def linear(name: str, out: int, *fed: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (out, *fed), f"{name}.bias": (out,)}


def norm(name: str, width: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


def is_gain(name: str, shape: tuple[int, ...]) -> bool:
    return "norm" in name and name.endswith("weight") and len(shape) == 1


def settings(**model: object) -> dict[str, object]:
    """SETTINGS with changes to its model; None leaves a key out."""
    changed = {k: v for k, v in (SETTINGS["model"] | model).items() if v is not None}
    return SETTINGS | {"model": changed}


def lightning_bytes(
    tensors: dict[str, torch.Tensor], config: dict[str, object] | None, **more: object
) -> bytes:
    """A whole checkpoint; config None: without hyper-parameters."""
    optimiser = {"state": {0: {"step": torch.tensor(2.0)}}, "param_groups": [{"betas": (0.9, 1)}]}
    content = {"epoch": 1, "state_dict": OrderedDict(tensors), "optimizer_states": [optimiser]}
    content |= more
    out = io.BytesIO()
    with omegaconf_classes() as node:
        if config is not None:
            content |= {"hparams_name": "cfg", "hyper_parameters": {"cfg": node(config, None)}}
        torch.save(content, out)
    return out.getvalue()


@contextmanager
def omegaconf_classes() -> Iterator[typing.Callable[[object, object], object]]:
    """A function that turns plain data into nodes as OmegaConf pickles them."""
    homes = {
        "omegaconf.dictconfig": "DictConfig",
        "omegaconf.listconfig": "ListConfig",
        "omegaconf.nodes": "AnyNode",
        "omegaconf.base": "ContainerMetadata",
    }
    known = {"omegaconf": types.ModuleType("omegaconf")}
    classes = {}
    for module, name in homes.items():
        known[module] = types.ModuleType(module)
        classes[name] = type(name, (), {"__module__": module, "__qualname__": name})
        setattr(known[module], name, classes[name])

    def node(value: object, parent: object) -> object:
        kind = {dict: "DictConfig", list: "ListConfig"}.get(type(value), "AnyNode")
        made, about = classes[kind](), classes["ContainerMetadata"]()
        about.__dict__.update(ref_type=typing.Any, object_type=dict, flags={}, key=None)
        about.resolver_cache = defaultdict(dict)
        made.__dict__.update(_metadata=about, _parent=parent)
        if isinstance(value, dict):
            made._content = {k: node(v, made) for k, v in value.items()}
        elif isinstance(value, list):
            made._content = [node(v, made) for v in value]
        else:
            made._val = value
        return made

    there = {name: sys.modules.get(name) for name in known}
    sys.modules.update(known)
    try:
        yield node
    finally:
        for name, module in there.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module


def with_pickle(checkpoint: bytes, pickled: bytes) -> bytes:
    """A checkpoint whose pickle is replaced."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(checkpoint)) as old, zipfile.ZipFile(out, "w") as new:
        for info in old.infolist():
            is_pickle = info.filename.endswith("data.pkl")
            new.writestr(info.filename, pickled if is_pickle else old.read(info))
    return out.getvalue()
