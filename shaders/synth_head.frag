#version 330 core
// Lights what synth_surface.frag has left of a head: skin, eyes, teeth, gums, sockets. In: head frame.
// Out: light; head normal and class; depth.

#include "include/noise.glsl"
#include "include/synth_light.glsl"

uniform sampler2D u_position_kind; // this and the next three: from synth_surface.frag
uniform sampler2D u_normal_footprint;
uniform sampler2D u_occlusion_u;
uniform sampler2D u_shadow_v;
uniform mat4 u_view_from_head;
uniform vec3 u_depth_axis; // view frame: the direction in which depth grows
uniform sampler2DArray u_skins; // log albedo less its median, 0..1 for +-u_max_detail
uniform float u_max_detail;
uniform sampler2D u_masks_a; // lips, lids, brows, beard
uniform sampler2D u_masks_b; // cheeks, nose, scalp
uniform float u_skin_layer;
uniform vec2 u_other_skin; // another layer, and its largest share
uniform vec3 u_tone; // log of the albedo wanted
uniform float u_detail; // contrast of the skin's own texture
uniform vec3 u_melanin; // change of log albedo
uniform vec3 u_haemoglobin;
uniform vec2 u_blotches; // strength of uneven melanin, haemoglobin
uniform vec4 u_lip_colour; // last: strength
uniform vec4 u_lid_colour;
uniform vec4 u_blush_colour;
uniform vec4 u_brow_colour;
uniform vec4 u_beard_colour;
uniform vec4 u_scalp_colour;
uniform float u_freckles;
uniform float u_bump; // height of pores and wrinkles
uniform float u_grain; // of them in a metre
uniform vec3 u_gloss; // reflectance of skin, of lips, and shininess
uniform vec3 u_noise_offset;
uniform vec3 u_eye_centre[2]; // left, right
uniform mat3 u_left_eye_from_head;
uniform mat3 u_right_eye_from_head;
uniform vec3 u_iris_colour;
uniform vec3 u_iris; // half angles of pupil and iris, radians; darkness of the limbus
uniform vec4 u_sclera; // colour, redness
uniform vec4 u_catch_light; // direction in the head frame, strength
uniform vec3 u_teeth_colour;
uniform vec3 u_gum_colour;

layout(location = 0) out vec4 out_light;
layout(location = 1) out vec4 out_normal_class;
layout(location = 2) out float out_depth;

vec3 position;
vec2 uv;
float footprint; // log2 of the texture coordinates that a pixel covers
vec3 occlusion;
vec3 shadow;

// A texture as it would look on the mesh itself: pixels beside each other may be far apart on it.
float level_of(ivec2 size) {
    return footprint + log2(float(max(size.x, size.y)));
}

vec4 seen(sampler2D image) {
    return textureLod(image, uv, level_of(textureSize(image, 0)));
}

vec3 skin_albedo(vec4 a, vec4 b) {
    vec3 p = position + u_noise_offset;
    float level = level_of(textureSize(u_skins, 0).xy);
    vec3 skin = textureLod(u_skins, vec3(uv, u_skin_layer), level).rgb;
    if (u_other_skin.y > 0.0) {
        float share = clamp(u_other_skin.y * (2.0 * noise4(p * 25.0).z - 0.3), 0.0, 1.0);
        skin = mix(skin, textureLod(u_skins, vec3(uv, u_other_skin.x), level).rgb, share);
    }
    vec3 detail = u_max_detail * (2.0 * skin - 1.0);
    vec3 log_albedo = u_tone + u_detail * detail;
    vec2 blotches = u_blotches * (noise4(p * 65.0).xy - 0.5);
    log_albedo += u_melanin * blotches.x + u_haemoglobin * blotches.y;
    if (u_freckles > 0.0) {
        float spots = smoothstep(0.66, 0.78, noise4(p * 420.0).x) * noise4(p * 40.0).y;
        log_albedo += u_melanin * u_freckles * spots * clamp(b.r + b.g + 0.15, 0.0, 1.0);
    }
    vec3 albedo = exp(log_albedo);
    float fine = noise4(p * vec3(1600.0, 700.0, 1000.0)).w;
    albedo = mix(albedo, u_blush_colour.rgb, b.r * u_blush_colour.a);
    albedo = mix(albedo, u_lid_colour.rgb, a.g * u_lid_colour.a);
    albedo = mix(albedo, u_lip_colour.rgb * (0.8 + 0.4 * fine), a.r * u_lip_colour.a);
    albedo = mix(albedo, u_beard_colour.rgb, a.a * u_beard_colour.a * (0.35 + 0.65 * fine));
    albedo = mix(albedo, u_scalp_colour.rgb, b.b * u_scalp_colour.a * (0.5 + 0.5 * fine));
    return mix(albedo, u_brow_colour.rgb, a.b * u_brow_colour.a * (0.45 + 0.55 * fine));
}

vec3 bumped(vec3 n) {
    vec3 p = position + u_noise_offset;
    return normalize(n + u_bump * (2.0 * noise4(p * u_grain).xyz - 1.0));
}

vec3 skin_light(vec3 n, vec3 to_eye) {
    vec4 a = seen(u_masks_a), b = seen(u_masks_b);
    vec3 bump = bumped(n);
    vec3 light = skin_albedo(a, b) * matt_light(bump, occlusion, shadow, u_wrap);
    float reflectance = mix(u_gloss.x, u_gloss.y, a.r);
    return light + reflectance * gloss_light(bump, to_eye, u_gloss.z, occlusion, shadow);
}

vec3 eye_light(vec3 n, vec3 to_eye) {
    bool is_left = position.x > 0.0;
    vec3 d = normalize(is_left ? u_left_eye_from_head * (position - u_eye_centre[0])
                               : u_right_eye_from_head * (position - u_eye_centre[1]));
    float angle = acos(clamp(d.z, -1.0, 1.0));
    float turn = atan(d.y, d.x);
    float fibres = noise4(vec3(turn * 9.0, angle * 14.0, 3.0) + u_noise_offset).x;
    float radial = clamp((angle - u_iris.x) / (u_iris.y - u_iris.x), 0.0, 1.0);
    vec3 iris = u_iris_colour * (0.55 + 0.9 * fibres) * (1.15 - 0.5 * radial);
    iris *= 1.0 - u_iris.z * smoothstep(0.75, 1.0, radial);
    iris *= smoothstep(u_iris.x - 0.03, u_iris.x + 0.02, angle);
    float veins = smoothstep(0.55, 0.8, noise4(d * 22.0 + u_noise_offset).y) * abs(d.x);
    vec3 white = u_sclera.rgb * (1.0 - u_sclera.a * vec3(0.1, 0.6, 0.6) * (0.3 + veins));
    vec3 albedo = mix(iris, white, smoothstep(u_iris.y - 0.02, u_iris.y + 0.03, angle));
    vec3 light = albedo * matt_light(n, occlusion, shadow, vec3(0.35));
    light += 0.03 * gloss_light(n, to_eye, 400.0, occlusion, shadow);
    float glint = pow(max(dot(n, normalize(u_catch_light.xyz + to_eye)), 0.0), 900.0);
    return light + u_catch_light.a * smoothstep(0.3, 0.9, glint) * occlusion;
}

vec3 part_light(int part, vec3 n, vec3 to_eye) {
    if (part == 0) return skin_light(n, to_eye);
    if (part == 1) return eye_light(n, to_eye);
    vec3 albedo = part == 2 ? u_teeth_colour : u_gum_colour;
    float wet = part == 4 ? 0.0 : 0.03;
    if (part == 4) albedo *= 0.25;
    vec3 light = albedo * matt_light(n, occlusion, shadow, vec3(0.2));
    return light + wet * gloss_light(n, to_eye, 90.0, occlusion, shadow);
}

void main() {
    ivec2 at = ivec2(gl_FragCoord.xy);
    vec4 position_kind = texelFetch(u_position_kind, at, 0);
    float kind = position_kind.w;
    vec4 normal_footprint = texelFetch(u_normal_footprint, at, 0);
    vec4 occlusion_u = texelFetch(u_occlusion_u, at, 0);
    vec4 shadow_v = texelFetch(u_shadow_v, at, 0);
    position = position_kind.xyz;
    uv = vec2(occlusion_u.w, shadow_v.w);
    footprint = normal_footprint.w;
    occlusion = occlusion_u.xyz;
    shadow = shadow_v.xyz;
    vec3 n = normalize(normal_footprint.xyz);
    vec3 to_eye = normalize(u_eye_position - position);
    int part = int(kind) / 16;
    out_light = vec4(part_light(part, n, to_eye), 1.0);
    out_normal_class = vec4(n, kind - 16.0 * float(part));
    out_depth = dot((u_view_from_head * vec4(position, 1.0)).xyz, u_depth_axis);
}
