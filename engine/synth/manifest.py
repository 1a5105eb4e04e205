"""manifest-SPLIT.json: what a folder of synthetic samples holds, and by which settings.

One for each split, so that training and validation samples may lie in one folder.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from engine.errors import AssetError
from engine.files import replacing

__all__ = ["Manifest", "ShardEntry", "manifest_path", "read_manifest", "shard_name"]

_FORMAT: Final = 1


@dataclass(frozen=True, slots=True)
class ShardEntry:
    """A finished shard."""

    sha256: str
    count: int  # samples
    model_ids: tuple[str, ...]  # head models of its samples' params


@dataclass(frozen=True, slots=True)
class Manifest:
    """A split's samples in a folder."""

    split: str
    seed: int
    size_px: int
    n: int  # samples asked for; all there when complete
    samples_per_shard: int
    settings: Mapping[str, Any]  # SynthSettings as JSON values; "pack" is its file's sha256
    shards: Mapping[str, ShardEntry] = field(default_factory=dict)  # file name -> finished shard

    @property
    def n_done(self) -> int:
        """Samples in finished shards."""
        return sum(entry.count for entry in self.shards.values())

    @property
    def model_ids(self) -> tuple[str, ...]:
        """Head models that the samples' params belong to."""
        return tuple(sorted({i for entry in self.shards.values() for i in entry.model_ids}))

    def paths(self, folder: Path) -> list[Path]:
        """The finished shards in order."""
        return [folder / name for name in sorted(self.shards)]

    def with_shard(self, name: str, entry: ShardEntry) -> "Manifest":
        return replace(self, shards={**self.shards, name: entry})

    def write(self, folder: Path) -> None:
        """Write manifest-SPLIT.json; equal manifests give equal bytes.

        Raises: OutputError: if it cannot be written.
        """
        content = {
            "format": _FORMAT,
            "split": self.split,
            "seed": self.seed,
            "size_px": self.size_px,
            "n": self.n,
            "samples_per_shard": self.samples_per_shard,
            "settings": dict(self.settings),
            "model_ids": self.model_ids,
            "shards": {
                name: {"sha256": e.sha256, "count": e.count, "model_ids": e.model_ids}
                for name, e in self.shards.items()
            },
        }
        text = json.dumps(content, indent=1, sort_keys=True) + "\n"
        with replacing(manifest_path(folder, self.split)) as temporary:
            temporary.write_text(text, encoding="utf-8")


def manifest_path(folder: Path, split: str) -> Path:
    return folder / f"manifest-{split}.json"


def shard_name(split: str, shard: int) -> str:
    return f"{split}-{shard:06d}.tar"


def read_manifest(folder: Path, split: str = "train") -> Manifest:
    """Read what a folder holds of a split.

    Raises: AssetError: if there is no manifest, or it is damaged.
    """
    path = manifest_path(folder, split)
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise AssetError(
            f"{path} is not there; make samples with: n2f synth --split {split} --out {folder}"
        ) from error
    except OSError as error:
        raise AssetError(f"{path} cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise AssetError(f"{path} is damaged ({error}); {_AGAIN}") from error
    return _manifest(path, content, split)


_AGAIN: Final = "make the samples again in another folder"


def _manifest(path: Path, content: Any, split: str) -> Manifest:  # noqa: ANN401  (JSON)
    try:
        found, found_split = content["format"], content["split"]
        shards = {
            name: ShardEntry(str(e["sha256"]), int(e["count"]), tuple(e["model_ids"]))
            for name, e in content["shards"].items()
        }
        manifest = Manifest(
            split=str(found_split),
            seed=int(content["seed"]),
            size_px=int(content["size_px"]),
            n=int(content["n"]),
            samples_per_shard=int(content["samples_per_shard"]),
            settings=dict(content["settings"]),
            shards=shards,
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise AssetError(f"{path} is damaged ({error!r}); {_AGAIN}") from error
    if (found, found_split) != (_FORMAT, split):
        raise AssetError(
            f"{path}: format {found} of split {found_split}, expected format {_FORMAT} of split "
            f"{split}; {_AGAIN}"
        )
    if bad := [name for name in shards if Path(name).name != name]:
        raise AssetError(f"{path} is damaged (shard {bad[0]!r} is no file name); {_AGAIN}")
    return manifest
