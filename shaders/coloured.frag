#version 330 core
// Colours that stand for numbers, a little darker where the surface turns away.
// In: view frame; albedo in linear light. Out: sRGB-encoded, multiplied by its alpha.

centroid in vec3 v_position_view;
centroid in vec3 v_normal_view;
centroid in vec3 v_albedo;
centroid in float v_opacity;

uniform float u_relief; // 0 flat .. 1 black at the outline

out vec4 out_colour;

#include "include/srgb.glsl"

void main() {
    float facing = abs(dot(normalize(v_normal_view), normalize(v_position_view)));
    vec3 encoded = srgb_from_linear(v_albedo) * (1.0 - u_relief * (1.0 - facing));
    out_colour = vec4(encoded * v_opacity, v_opacity);
}
