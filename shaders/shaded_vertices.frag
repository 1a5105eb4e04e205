#version 330 core
// What shaded_vertices.vert lit. In and out: sRGB-encoded, multiplied by its alpha.

centroid in vec4 v_lit;

out vec4 out_colour;

void main() {
    out_colour = v_lit;
}
