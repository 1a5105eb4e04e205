#version 330 core
// The lit surface of a dense mesh, lit at its vertices: where the processor draws, light at each
// pixel takes longer than all the rest. In: model frame, metres; albedo in linear light.
// Out: sRGB-encoded.

in vec3 in_position;
in vec3 in_normal;
in vec3 in_albedo;
in float in_opacity;
in float in_gloss;

uniform mat4 u_view_from_model;
uniform mat4 u_clip_from_view;

// Centroid: triangles may be smaller than a pixel, whose centre then is far outside of them.
centroid out vec4 v_lit; // multiplied by its alpha

#include "include/srgb.glsl"
#include "include/shading.glsl"

void main() {
    vec4 position_view = u_view_from_model * vec4(in_position, 1.0);
    vec3 normal_view = mat3(u_view_from_model) * in_normal;
    vec3 lit = shade(in_albedo, in_gloss, normal_view, position_view.xyz);
    v_lit = vec4(srgb_from_linear(lit) * in_opacity, in_opacity);
    gl_Position = u_clip_from_view * position_view;
}
