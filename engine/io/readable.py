"""What can be said about a file before decoding it."""

from pathlib import Path

from engine.errors import CaptureError

__all__ = ["check_readable"]


def check_readable(path: Path, kind: str) -> None:
    """Raises: CaptureError: naming cause and fix, if path is no readable file with contents.

    Args:
        path: the file.
        kind: what it should be, e.g. "picture".
    """
    try:
        with path.open("rb") as file:
            if not file.read(1):
                raise CaptureError(f"{path} is empty (0 bytes); copy or download it again")
    except FileNotFoundError as error:
        raise CaptureError(f"{path} does not exist; check the path") from error
    except IsADirectoryError as error:
        raise CaptureError(f"{path} is a folder, not a {kind}; name a file in it") from error
    except OSError as error:
        raise CaptureError(
            f"{path} cannot be opened: {error.strerror}; check its permissions"
        ) from error
