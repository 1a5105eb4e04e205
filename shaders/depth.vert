#version 330 core
// Depth only. In: model frame, metres.

in vec3 in_position;

uniform mat4 u_clip_from_model;

void main() {
    gl_Position = u_clip_from_model * vec4(in_position, 1.0);
}
