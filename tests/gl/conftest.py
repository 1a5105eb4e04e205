"""One software or hardware OpenGL context for all tests here, and clean errors around each."""

from collections.abc import Iterator

import moderngl
import pytest

from engine.errors import ProviderError
from engine.render.context import activate, headless_context


@pytest.fixture(scope="session")
def session_ctx() -> Iterator[moderngl.Context]:
    try:
        context = headless_context()
    except ProviderError as error:
        pytest.skip(str(error))
    yield context
    context.release()


@pytest.fixture
def ctx(session_ctx: moderngl.Context) -> Iterator[moderngl.Context]:
    """The context, current in this thread; what a test does with it must raise no GL error."""
    activate(session_ctx)
    assert session_ctx.error == "GL_NO_ERROR"
    yield session_ctx
    activate(session_ctx)
    assert session_ctx.error == "GL_NO_ERROR"
