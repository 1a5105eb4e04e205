"""Errors the engine raises. A message says what was expected, what was found and what to do.

EngineError
├── AssetError           a file of ours or the user's is missing, damaged, refused or unreadable
├── ModelContractError   parameters, weights or arrays do not belong to the head model in use
├── ProviderError        a compute device or GL context is not what was asked for
├── CaptureError         a camera, video or image source cannot be read
├── ScoreError           a prediction cannot be compared with its truth
└── OutputError          a result cannot be written

Wrong arguments raise ValueError.
"""

__all__ = [
    "AssetError",
    "CaptureError",
    "EngineError",
    "ModelContractError",
    "OutputError",
    "ProviderError",
    "ScoreError",
    "cause_of",
]


class EngineError(Exception):
    """Base of all errors that the engine raises on purpose."""


class AssetError(EngineError):
    """A file of ours or the user's is missing, damaged, refused or unreadable."""


class ModelContractError(EngineError):
    """Parameters, weights or arrays do not belong to the head model in use."""


class ProviderError(EngineError):
    """A compute device or GL context is not what was asked for."""


class CaptureError(EngineError):
    """A camera, video or image source cannot be read."""


class ScoreError(EngineError):
    """A prediction cannot be compared with its truth."""


class OutputError(EngineError):
    """A result cannot be written."""


def cause_of(error: Exception) -> str:
    """What an error that nobody foresaw, in a fitter, says: one line for people."""
    return ": ".join(filter(None, (type(error).__name__, " ".join(str(error).split()))))
