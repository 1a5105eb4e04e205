#version 330 core
// Hair, brows and lashes: cards with strands. In: head frame.
// Out: light, with coverage; normal towards the viewer and class; depth.

#include "include/noise.glsl"
#include "include/synth_light.glsl"

centroid in vec3 v_position;
centroid in vec3 v_normal;
centroid in vec2 v_uv;
centroid in vec3 v_occlusion;
centroid in vec3 v_shadow;
in float v_depth;
flat in float v_kind;

uniform sampler2D u_strands; // colour, coverage
uniform float u_strand_mean; // mean luminance of the texture
uniform vec3 u_hair_colour;
uniform vec2 u_hair_gloss; // reflectance, shininess
uniform float u_solid; // 1: coverage is decided for each pixel, by chance; 0: it is blended
uniform vec3 u_noise_offset;
uniform vec3 u_luminance;

layout(location = 0) out vec4 out_light;
layout(location = 1) out vec4 out_normal_class;
layout(location = 2) out float out_depth;

void main() {
    vec4 texel = texture(u_strands, v_uv);
    vec3 p = v_position + u_noise_offset;
    float chance = hash13(floor(p * 4000.0));
    if (u_solid > 0.5 && texel.a < 0.2 + 0.6 * chance) discard;
    vec3 to_eye = normalize(u_eye_position - v_position);
    vec3 n = normalize(v_normal);
    if (dot(n, to_eye) < 0.0) n = -n;
    float bright = 0.25 + 0.75 * dot(texel.rgb, u_luminance) / u_strand_mean;
    vec3 albedo = u_hair_colour * bright * (0.75 + 0.5 * noise4(p * vec3(900.0, 120.0, 900.0)).x);
    vec3 light = albedo * matt_light(n, v_occlusion, v_shadow, vec3(0.3));
    light += u_hair_gloss.x * bright * gloss_light(n, to_eye, u_hair_gloss.y, v_occlusion, v_shadow);
    float cover = u_solid > 0.5 ? 1.0 : texel.a;
    out_light = vec4(light * cover, cover);
    out_normal_class = vec4(n, v_kind);
    out_depth = v_depth;
}
