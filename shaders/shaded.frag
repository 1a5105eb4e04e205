#version 330 core
// The lit surface. In: view frame, linear light. Out: sRGB-encoded, multiplied by its alpha.

centroid in vec3 v_position_view;
centroid in vec3 v_normal_view;
centroid in vec3 v_albedo;
centroid in float v_opacity;
centroid in float v_gloss;

out vec4 out_colour;

#include "include/srgb.glsl"
#include "include/shading.glsl"

void main() {
    vec3 lit = shade(v_albedo, v_gloss, v_normal_view, v_position_view);
    out_colour = vec4(srgb_from_linear(lit) * v_opacity, v_opacity);
}
