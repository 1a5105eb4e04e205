#version 330 core
// One square a dot, a strip of four corners. in_centre_px: pixels of the frame, y down.

in vec2 in_centre_px;

uniform mat4 u_clip_from_pixel; // takes (x, y, -1)
uniform float u_radius_px; // of the dot with its outline

out vec2 v_from_centre_px;

void main() {
    vec2 corner = 2.0 * vec2(gl_VertexID & 1, gl_VertexID >> 1) - 1.0;
    v_from_centre_px = corner * (u_radius_px + 1.0); // a pixel more for the soft edge
    gl_Position = u_clip_from_pixel * vec4(in_centre_px + v_from_centre_px, -1.0, 1.0);
}
