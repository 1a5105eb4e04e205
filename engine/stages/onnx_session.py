"""A network in ONNX form, ready to run: provider, threads, buffers. The only import of onnxruntime.

Arrays in and out by name, of the graph's own shapes and types; buffers are made once.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.errors import AssetError, ProviderError

__all__ = ["PROVIDERS", "OnnxSession", "TensorInfo", "available_providers", "runtime_version"]

Array = npt.NDArray[Any]

PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "directml": "DmlExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
}
"""What `provider` may be, besides "auto", and what ONNX Runtime calls it."""

_AUTO = ("cuda", "coreml", "directml")  # TensorRT builds for minutes, OpenVINO is no faster here

_TYPES = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(uint8)": np.uint8,
    "tensor(int8)": np.int8,
    "tensor(int32)": np.int32,
    "tensor(int64)": np.int64,
    "tensor(bool)": np.bool_,
}


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """An input or output of a graph."""

    name: str
    shape: tuple[int | None, ...]  # None: of any length
    dtype: npt.DTypeLike

    @property
    def is_fixed(self) -> bool:
        """Whether all lengths are known."""
        return None not in self.shape


class OnnxSession:
    """Made once, warmed up, used from one thread."""

    def __init__(
        self,
        path: Path,
        *,
        threads: int = 2,
        provider: str = "cpu",
        may_fall_back: bool = False,
        open_shape: tuple[int, ...] | None = None,
    ) -> None:
        """Load a graph and run it once.

        Args:
            threads: of the CPU, within one operator.
            provider: one of PROVIDERS, or "auto": a graphics card where there is one.
            may_fall_back: where the provider does not work, use the CPU and say so in `fallback`;
                "auto" always may.
            open_shape: of inputs with as many lengths, some of which are left open.
        Raises:
            AssetError: if the file is missing, damaged or not a graph that can be run, as when
                lengths of its inputs are left open.
            ProviderError: if ONNX Runtime is missing, or the provider does not work.
            ValueError: if provider or threads are wrong.
        """
        if provider not in ("auto", *PROVIDERS):
            raise ValueError(f"provider {provider!r}; choose from: auto, {', '.join(PROVIDERS)}")
        if threads < 1:
            raise ValueError(f"threads must be at least 1, got {threads}")
        self.path = path
        self._ort = _onnxruntime()
        self.fallback = ""  # why the CPU is used although something else was asked for
        self._threads = threads
        self._session, self.provider = self._open(provider, may_fall_back or provider == "auto")
        self.metadata: dict[str, str] = dict(
            self._session.get_modelmeta().custom_metadata_map or {}
        )
        self.inputs = _infos(self._session.get_inputs(), open_shape, path)
        self.outputs = _infos(self._session.get_outputs(), None, path)
        if unknown := [info.name for info in self.inputs.values() if not info.is_fixed]:
            raise AssetError(
                f"{path} leaves lengths of its inputs open ({', '.join(unknown)}); "
                "export it with fixed shapes"
            )
        self._bind()
        self.run({i.name: np.zeros(_lengths(i), i.dtype) for i in self.inputs.values()})

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """All outputs by name, in arrays of the caller's own.

        Args:
            feeds: every input, of its shape and type.
        Raises: ValueError: for anything else. ProviderError: if the device gives up.
        """
        if feeds.keys() != self._buffers.keys():
            wanted = ", ".join(self._buffers)
            raise ValueError(f"inputs {', '.join(feeds) or 'none'}; {self.path.name} has {wanted}")
        for name, buffer in self._buffers.items():
            given = feeds[name]
            if given.shape != buffer.shape or given.dtype != buffer.dtype:
                raise ValueError(
                    f"input {name}: {given.dtype} {given.shape}, "
                    f"expected {buffer.dtype} {buffer.shape}"
                )
            np.copyto(buffer, given)
        try:
            self._session.run_with_iobinding(self._binding)
        except _failures(self._ort) as error:
            raise ProviderError(
                f"{self.path.name} stopped on {self.provider}: {_first_line(error)}; "
                "try again on the CPU"
            ) from error
        # Copies: the next run writes into the same memory.
        values = self._binding.get_outputs()
        return {
            name: self._results[name].copy() if name in self._results else value.numpy()
            for name, value in zip(self.outputs, values, strict=True)
        }

    def _open(self, provider: str, may_fall_back: bool) -> tuple[Any, str]:
        """A session and the short name of what it runs on."""
        if not self.path.is_file():
            raise AssetError(f"{self.path} is missing; expected an ONNX file; check the path")
        there = self._ort.get_available_providers()
        auto = [name for name in _AUTO if PROVIDERS[name] in there]
        name = (auto or ["cpu"])[0] if provider == "auto" else provider
        if name != "cpu":
            reason = f"ONNX Runtime here has only {', '.join(there)}"
            if PROVIDERS[name] in there:
                try:
                    session = self._load([PROVIDERS[name], PROVIDERS["cpu"]])
                except AssetError:
                    self._load([PROVIDERS["cpu"]])  # raises where the file is to blame
                    session = None
                # It falls back by itself with no more than a warning: look at what it took.
                if session is not None and PROVIDERS[name] in session.get_providers():
                    return session, name
                reason = f"{PROVIDERS[name]} does not start; its libraries or driver are missing"
            if not may_fall_back:
                raise ProviderError(
                    f"{name} was asked for, but {reason}; install what is missing, or use the CPU"
                )
            self.fallback = f"CPU instead of {name}: {reason}"
        return self._load([PROVIDERS["cpu"]]), "cpu"

    def _load(self, providers: list[str]) -> Any:  # noqa: ANN401  (ONNX Runtime has no types)
        options = self._ort.SessionOptions()
        options.graph_optimization_level = self._ort.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.intra_op_num_threads = min(self._threads, os.cpu_count() or 1)
        options.inter_op_num_threads = 1
        # Idle threads that spin take the cores from the rest of the program.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        # Its own threads take numbers too small for the processor to be quick with for zero; of
        # callers only the one that loads a process' first network does. Ours make no such numbers.
        options.add_session_config_entry("session.set_denormal_as_zero", "1")
        options.log_severity_level = 4
        try:
            return self._ort.InferenceSession(str(self.path), options, providers=providers)
        except _failures(self._ort) as error:
            raise AssetError(
                f"{self.path} cannot be loaded as an ONNX network: {_first_line(error)}; "
                "take a fresh copy, or export it again"
            ) from error

    def _bind(self) -> None:
        """Give every input, and every output whose shape is known, its memory for good."""
        self._binding = self._session.io_binding()
        self._buffers: dict[str, Array] = {}
        self._results: dict[str, Array] = {}
        for name, info in self.inputs.items():
            buffer = self._buffers[name] = np.zeros(_lengths(info), info.dtype)
            where = (name, "cpu", 0, buffer.dtype.type, buffer.shape, buffer.ctypes.data)
            self._binding.bind_input(*where)
        for name, info in self.outputs.items():
            if not info.is_fixed:
                self._binding.bind_output(name, "cpu")
                continue
            result = self._results[name] = np.zeros(_lengths(info), info.dtype)
            where = (name, "cpu", 0, result.dtype.type, result.shape, result.ctypes.data)
            self._binding.bind_output(*where)


_TITLES = {
    "cpu": "CPU",
    "cuda": "NVIDIA card (CUDA)",
    "tensorrt": "NVIDIA card (TensorRT, builds for minutes first)",
    "coreml": "Apple (Core ML)",
    "directml": "graphics card (DirectML)",
    "openvino": "Intel (OpenVINO)",
}


def available_providers() -> dict[str, str]:
    """What networks can be asked to run on here, "auto" first: name and title for people."""
    there = _onnxruntime().get_available_providers()
    own = {name: _TITLES[name] for name, known in PROVIDERS.items() if known in there}
    return {"auto": "the quickest that is known to work"} | own


def runtime_version() -> str:
    """Of ONNX Runtime."""
    return str(_onnxruntime().__version__)


def _onnxruntime() -> Any:  # noqa: ANN401  (it has no types)
    try:
        import onnxruntime as runtime
    except ImportError as error:
        raise ProviderError(
            f"ONNX Runtime cannot be imported ({error}); run `pip install onnxruntime` or, with an "
            "NVIDIA card, `pip install onnxruntime-gpu`"
        ) from error
    if PROVIDERS["cuda"] in runtime.get_available_providers():
        runtime.preload_dlls()  # finds CUDA and cuDNN where pip has put them
    return runtime


def _failures(runtime: Any) -> tuple[type[Exception], ...]:  # noqa: ANN401  (it has no types)
    """What ONNX Runtime raises; its exceptions have no common base of their own."""
    state = runtime.capi.onnxruntime_pybind11_state
    own = [v for v in vars(state).values() if isinstance(v, type) and issubclass(v, Exception)]
    return (*own, RuntimeError)


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _infos(
    nodes: list[Any], open_shape: tuple[int, ...] | None, path: Path
) -> dict[str, TensorInfo]:
    infos: dict[str, TensorInfo] = {}
    for node in nodes:
        if node.type not in _TYPES:
            raise AssetError(
                f"{path}: {node.name} is a {node.type}, which is not supported; "
                f"export it as one of {', '.join(_TYPES)}"
            )
        shape = tuple(n if isinstance(n, int) else None for n in node.shape)
        if None in shape and open_shape is not None and len(open_shape) == len(shape):
            shape = open_shape
        infos[node.name] = TensorInfo(node.name, shape, _TYPES[node.type])
    return infos


def _lengths(info: TensorInfo) -> tuple[int, ...]:
    """Of a tensor with a fixed shape."""
    return tuple(n for n in info.shape if n is not None)
