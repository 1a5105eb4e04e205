#version 330 core
// One triangle that covers the viewport. v_texture: 0..1 over the viewport.

out vec2 v_texture;

void main() {
    v_texture = vec2((gl_VertexID << 1) & 2, gl_VertexID & 2);
    gl_Position = vec4(2.0 * v_texture - 1.0, 0.0, 1.0);
}
