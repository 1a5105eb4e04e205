"""What holds for all tests."""

import pytest

from app.display import has_display


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of windows need a display; `make test` gives them a virtual one."""
    if has_display():
        return
    skip = pytest.mark.skip(reason="no display; `make test` runs this under xvfb-run")
    for item in items:
        if "gui" in item.keywords:
            item.add_marker(skip)
