"""The shader loader: includes, errors that name file and line, uniforms never set."""

from pathlib import Path

import moderngl
import numpy as np
import pytest

from engine.errors import ProviderError
from engine.render.program import load_program, resolve_includes, shader_root

pytestmark = pytest.mark.gl

VERTEX = "#version 330 core\nvoid main() {\n    gl_Position = vec4(0.0);\n}\n"


def _write(folder: Path, **files: str) -> Path:
    for name, text in {"v": VERTEX, **files}.items():
        (folder / f"{name}.glsl").write_text(text, encoding="utf-8")
    return folder


def test_an_error_in_an_included_file_names_that_file_and_line(
    ctx: moderngl.Context, tmp_path: Path
) -> None:
    root = _write(
        tmp_path,
        f='#version 330 core\nout vec4 out_colour;\n#include "part.glsl"\nvoid main() {\n'
        "    out_colour = paint();\n}\n",
        part="vec4 paint() {\n    return vec4(1.0);\n}\nvec4 other() {\n    return nonsense;\n}\n",
    )
    with pytest.raises(ProviderError, match=r"part\.glsl:5"):
        load_program(ctx, "v.glsl", "f.glsl", root)


def test_an_error_after_an_include_names_the_including_file_and_its_own_line(
    ctx: moderngl.Context, tmp_path: Path
) -> None:
    root = _write(
        tmp_path,
        f='#version 330 core\n#include "part.glsl"\nout vec4 out_colour;\nvoid main() {\n'
        "    out_colour = nonsense;\n}\n",
        part="float one() {\n    return 1.0;\n}\n// and\n// so\n// on\n",
    )
    with pytest.raises(ProviderError, match=r"f\.glsl:5"):
        load_program(ctx, "v.glsl", "f.glsl", root)


def test_an_error_in_the_vertex_shader_names_it(ctx: moderngl.Context, tmp_path: Path) -> None:
    root = _write(
        tmp_path,
        bad="#version 330 core\nvoid main() {\n    gl_Position = nonsense;\n}\n",
        f="#version 330 core\nout vec4 o;\nvoid main() {\n    o = vec4(1.0);\n}\n",
    )
    with pytest.raises(ProviderError, match=r"bad\.glsl:3"):
        load_program(ctx, "bad.glsl", "f.glsl", root)


def test_a_missing_include_names_the_line_that_asks_for_it(tmp_path: Path) -> None:
    root = _write(tmp_path, f='#version 330 core\n\n#include "nowhere.glsl"\n')
    with pytest.raises(ProviderError, match=r"f\.glsl:3: #include 'nowhere.glsl'"):
        resolve_includes(root / "f.glsl")


def test_files_that_include_each_other_are_taken_once(tmp_path: Path) -> None:
    root = _write(
        tmp_path,
        f='#version 330 core\n#include "a.glsl"\n#include "b.glsl"\n',
        a='#include "b.glsl"\nfloat a;\n',
        b='#include "a.glsl"\nfloat b;\n',
    )
    text, files = resolve_includes(root / "f.glsl")
    assert [file.name for file in files] == ["f.glsl", "a.glsl", "b.glsl"]
    assert text.count("float a;") == text.count("float b;") == 1


def test_uniforms_never_set_are_listed(ctx: moderngl.Context, tmp_path: Path) -> None:
    root = _write(
        tmp_path,
        f="#version 330 core\nuniform vec3 u_a;\nuniform float u_b;\nuniform float u_idle;\n"
        "out vec4 out_colour;\nvoid main() {\n    out_colour = vec4(u_a, u_b);\n}\n",
    )
    program = load_program(ctx, "v.glsl", "f.glsl", root)
    assert program.unset() == ["u_a", "u_b"]
    program.set({"u_b": 2.0, "u_idle": 1.0})  # declared without effect: no error
    assert program.unset() == ["u_a"]
    with pytest.raises(ValueError, match="declares no uniform u_c"):
        program.set({"u_c": 1.0})
    program.release()


def test_matrices_are_given_row_major(ctx: moderngl.Context, tmp_path: Path) -> None:
    root = _write(
        tmp_path,
        f="#version 330 core\nuniform mat3 u_m;\nuniform vec3 u_list[2];\nout vec4 out_colour;\n"
        "void main() {\n    out_colour = vec4(u_m * u_list[1], 1.0);\n}\n",
        v="#version 330 core\nvoid main() {\n    vec2 at = vec2((gl_VertexID << 1) & 2,"
        " gl_VertexID & 2);\n    gl_Position = vec4(2.0 * at - 1.0, 0.0, 1.0);\n}\n",
    )
    program = load_program(ctx, "v.glsl", "f.glsl", root)
    matrix = np.arange(9.0).reshape(3, 3)
    vectors = np.array([[9.0, 9.0, 9.0], [1.0, 2.0, 4.0]])
    program.set({"u_m": matrix, "u_list": vectors})
    texture = ctx.texture((1, 1), 4, dtype="f4")
    target = ctx.framebuffer([texture])
    target.use()
    ctx.enable_only(moderngl.NOTHING)
    array = ctx.vertex_array(program.gl, [])
    array.render(moderngl.TRIANGLES, vertices=3)
    drawn = np.frombuffer(target.read(components=4, dtype="f4"), np.float32)
    np.testing.assert_array_equal(drawn[:3], matrix @ vectors[1])  # small integers: exact
    for part in (array, program):
        part.release()


def test_every_shader_starts_with_its_version_and_says_what_it_is() -> None:
    for path in [*shader_root().glob("*.vert"), *shader_root().glob("*.frag")]:
        lines = path.read_text(encoding="utf-8").splitlines()
        assert lines[0] == "#version 330 core", path
        assert lines[1].startswith("// "), path
