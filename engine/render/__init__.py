"""One OpenGL renderer for overlay and data; the context is passed in."""
