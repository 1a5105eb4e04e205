#version 330 core
// One triangle over the viewport, as far away as can be: where depths must be greater than those
// drawn before, it touches just the pixels that have something.

void main() {
    vec2 corner = vec2((gl_VertexID << 1) & 2, gl_VertexID & 2);
    gl_Position = vec4(2.0 * corner - 1.0, 1.0, 1.0);
}
