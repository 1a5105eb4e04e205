"""The only shader loader: finds the files, resolves #include, names file and line in errors."""

import re
from collections.abc import Mapping
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import moderngl
import numpy as np

from engine.errors import ProviderError

__all__ = ["Program", "load_program", "resolve_includes", "shader_root"]

_INCLUDE = re.compile(r'\s*#include\s+"([^"]+)"\s*$')
_UNIFORM = re.compile(r"^\s*uniform\s+\w+\s+(u_\w+)", re.MULTILINE)
_LOCATION = re.compile(r"^((?:ERROR|WARNING): )?(\d+)[:(](\d+)", re.MULTILINE)
"""Where Mesa (0:12(3): ...), NVIDIA (0(12) : ...) and others (ERROR: 0:12: ...) see an error."""


@cache
def shader_root() -> Path:
    """The folder of shaders: beside the package in a checkout, else where the wheel put it.

    Raises: ProviderError: if it is in neither place.
    """
    checkout = Path(__file__).resolve().parents[2] / "shaders"
    if (checkout / "mesh.vert").is_file():
        return checkout
    try:
        installed = metadata.files("n2fnet") or []
    except metadata.PackageNotFoundError:
        installed = []
    for file in installed:
        if file.match("shaders/mesh.vert"):
            return Path(str(file.locate())).resolve().parent
    raise ProviderError(
        f"the shader files are missing: expected {checkout} or the wheel's share/n2fnet/shaders; "
        "install n2fnet again"
    )


def resolve_includes(path: Path) -> tuple[str, list[Path]]:
    """A shader's text with each `#include "file"` replaced by that file, once.

    Includes are relative to the shader's folder. #line directives number the source files by
    their place in the returned list, so that a compiler's message can be traced back.
    Raises: ProviderError: naming file and line, if a file cannot be read.
    """
    files: list[Path] = []
    return _expand(path, path.parent, files, f"shader {path} cannot be read"), files


def _expand(path: Path, root: Path, files: list[Path], complaint: str) -> str:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise ProviderError(f"{complaint}: {error.strerror}; install n2fnet again") from error
    number = len(files)
    files.append(path)
    # Nothing, not even #line, may stand before #version.
    out = [] if number == 0 else [f"#line 1 {number}"]
    for at, line in enumerate(lines, start=1):
        if not (match := _INCLUDE.match(line)):
            out.append(line)
            continue
        target = root / match[1]
        if target not in files:
            out.append(_expand(target, root, files, f"{path}:{at}: #include {match[1]!r}"))
        out.append(f"#line {at + 1} {number}")
    return "\n".join(out)


class Program:
    """A linked program that knows which of its uniforms were never set."""

    def __init__(self, gl: moderngl.Program, name: str, declared: frozenset[str]) -> None:
        self.gl = gl
        self.name = name
        self._declared = declared  # in the source; the compiler drops those without effect
        self._active = {k: gl[k] for k in gl if isinstance(gl[k], moderngl.Uniform)}
        self._set: set[str] = set()

    def set(self, values: Mapping[str, Any]) -> None:
        """Set uniforms by name: numbers, vectors, (N, k) arrays of vectors, row-major matrices.

        Raises: ValueError: if the shader declares no such uniform.
        """
        for name, value in values.items():
            if name not in self._declared:
                raise ValueError(f"{self.name} declares no uniform {name}")
            if (uniform := self._active.get(name)) is None:
                continue
            if isinstance(value, int):
                uniform.value = value
            else:
                array = np.asarray(value, np.float32)
                is_matrix = uniform.dimension in (9, 16)
                uniform.write((array.T if is_matrix else array).tobytes())
            self._set.add(name)

    def unset(self) -> list[str]:
        """Names of active uniforms that were never set."""
        return sorted(self._active.keys() - self._set)

    def release(self) -> None:
        self.gl.release()


def load_program(
    ctx: moderngl.Context, vertex: str, fragment: str, root: Path | None = None
) -> Program:
    """Compile and link two shaders.

    Args:
        vertex, fragment: file names in `root`, which is `shader_root()` by default.
    Raises: ProviderError: naming file and line, if a file is missing or does not compile.
    """
    root = root or shader_root()
    sources = [resolve_includes(root / name) for name in (vertex, fragment)]
    texts = [text for text, _ in sources]
    try:
        gl = ctx.program(vertex_shader=texts[0], fragment_shader=texts[1])
    except moderngl.Error as error:
        message = str(error)
        # moderngl heads the log with the stage; a link error names none and gets the first.
        files = sources["fragment_shader" in message][1]
        raise ProviderError(
            f"shader does not compile: {_with_file_names(message, files)}"
        ) from error
    declared = frozenset(_UNIFORM.findall("\n".join(texts)))
    return Program(gl, f"{vertex} + {fragment}", declared)


def _with_file_names(message: str, files: list[Path]) -> str:
    def named(match: re.Match[str]) -> str:
        number = int(match[2])
        file = str(files[number]) if number < len(files) else match[2]
        return f"{match[1] or ''}{file}:{match[3]}"

    return _LOCATION.sub(named, message)
