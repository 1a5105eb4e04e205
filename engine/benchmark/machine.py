"""What a measurement was made with: program, packages, processor, files."""

import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from engine.batch_plan import program_version
from engine.io.assets import load_manifest

__all__ = ["describe_machine", "describe_program", "processor_name"]

_PACKAGES: Final = (
    "numpy", "scipy", "mediapipe", "onnxruntime", "onnxruntime-gpu", "torch", "trimesh",
    "opencv-contrib-python",
)  # fmt: skip


def describe_program() -> dict[str, Any]:
    """Version, commit where there is one, packages, and the hashes of what is shipped."""
    return {
        "version": program_version(),
        "commit": _commit(),
        "python": platform.python_version(),
        "packages": {name: v for name in _PACKAGES if (v := _version(name)) is not None},
        "assets": {asset.file: asset.sha256 for asset in load_manifest()},
    }


def describe_machine() -> dict[str, Any]:
    """Processor, system, and how busy it was."""
    return {
        "processor": processor_name(),
        "cores": os.cpu_count() or 1,
        "load": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "system": platform.platform(),
    }


def processor_name() -> str:
    """As the system calls it; of which kind where it does not say."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _commit() -> str:
    """Of the checkout this runs from; empty without one, with "+changes" where files differ."""
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return ""
    try:
        head = _git(root, "rev-parse", "HEAD").strip()
        changed = _git(root, "status", "--porcelain", "--untracked-files=no").strip()
    except (OSError, subprocess.SubprocessError):
        return ""
    return f"{head}+changes" if changed else head


def _git(root: Path, *words: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(root), *words], capture_output=True, text=True, timeout=10, check=True
    )
    return done.stdout


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
