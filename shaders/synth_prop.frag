#version 330 core
// Glasses, hats, hands, clothes. In: head frame. Out: light and opacity; normal and class; depth.

#include "include/noise.glsl"
#include "include/synth_light.glsl"

centroid in vec3 v_position;
centroid in vec3 v_normal;
centroid in vec2 v_uv;
centroid in vec3 v_occlusion;
centroid in vec3 v_shadow;
in float v_depth;
flat in float v_kind;

uniform vec4 u_prop_colour; // last: opacity
uniform vec3 u_prop_gloss; // reflectance, shininess, strength of the cloth's pattern
uniform vec3 u_noise_offset;

layout(location = 0) out vec4 out_light;
layout(location = 1) out vec4 out_normal_class;
layout(location = 2) out float out_depth;

void main() {
    vec3 to_eye = normalize(u_eye_position - v_position);
    vec3 n = normalize(v_normal);
    if (dot(n, to_eye) < 0.0) n = -n;
    vec3 p = v_position + u_noise_offset;
    float pattern = noise4(p * 300.0).x + noise4(p * 45.0).y - 1.0;
    vec3 albedo = u_prop_colour.rgb * (1.0 + u_prop_gloss.z * pattern);
    vec3 light = albedo * matt_light(n, v_occlusion, v_shadow, vec3(0.1));
    vec3 gloss = u_prop_gloss.x * gloss_light(n, to_eye, u_prop_gloss.y, v_occlusion, v_shadow);
    // Blended as colour x opacity + gloss: a clear lens still mirrors.
    out_light = vec4(light * u_prop_colour.a + gloss, u_prop_colour.a);
    out_normal_class = vec4(n, v_kind);
    out_depth = v_depth;
}
