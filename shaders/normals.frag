#version 330 core
// Normals as colours, (n + 1) / 2. In: model frame. Out: encoded, multiplied by its alpha.

centroid in vec3 v_normal_head;
centroid in float v_opacity;

uniform mat3 u_shown_from_head; // rotation into the frame that is shown

out vec4 out_colour;

void main() {
    vec3 n = normalize(u_shown_from_head * v_normal_head);
    out_colour = vec4((0.5 * n + 0.5) * v_opacity, v_opacity);
}
