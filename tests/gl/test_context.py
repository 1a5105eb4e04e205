"""Contexts without a window."""

import threading

import moderngl
import numpy as np
import pytest

from engine.errors import ProviderError
from engine.frames import default_camera
from engine.render.context import describe, headless_context
from engine.render.renderer import MeshRenderer, RenderMode
from tests.gl.shapes import quad

pytestmark = pytest.mark.gl


def _draw(ctx: moderngl.Context) -> MeshRenderer:
    vertices, faces = quad((0.0, 0.0, 0.0), 0.05)
    renderer = MeshRenderer(ctx, faces)
    background = np.full((48, 64, 3), 7, np.uint8)
    renderer.draw(
        default_camera(64, 48),
        vertices,
        np.eye(3),
        np.array([0.0, 0.0, -0.5]),
        mode=RenderMode.VIEW_NORMALS,
        background=background,
    )
    return renderer


def _is_right(renderer: MeshRenderer) -> bool:
    picture = renderer.read()
    return bool((picture[0, 0] == 7).all() and picture[24, 32, 2] == 255)


def test_a_context_needs_no_display(ctx: moderngl.Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    second = headless_context()
    assert second.version_code >= 330
    assert all(describe(second).values())
    second.release()


def test_two_contexts_in_one_thread_do_not_get_mixed_up(ctx: moderngl.Context) -> None:
    second = headless_context()
    a, b = _draw(ctx), _draw(second)
    assert _is_right(a)
    assert _is_right(b)
    b.release()
    second.release()
    assert _is_right(a)
    a.release()


def test_another_thread_can_have_its_own_context(ctx: moderngl.Context) -> None:
    results = []

    def work() -> None:
        own = headless_context()
        renderer = _draw(own)
        results.append(_is_right(renderer))
        renderer.release()
        own.release()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert results == [True]


def test_without_egl_the_error_names_the_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**settings: object) -> None:
        raise Exception("libEGL.so not found")  # what glcontext raises

    monkeypatch.setattr(moderngl, "create_context", fail)
    with pytest.raises(ProviderError, match=r"libEGL.*apt-get install libegl1 libgl1-mesa-dri"):
        headless_context()
