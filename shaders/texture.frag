#version 330 core
// The photo on the surface where the photo saw it, neutral grey elsewhere.
// In: view frames. Out: sRGB-encoded, multiplied by its alpha.

centroid in vec3 v_position_view;
centroid in vec3 v_normal_view;
centroid in float v_opacity;
centroid in vec3 v_source_position_view;
centroid in vec3 v_source_normal_view;
in vec4 v_source_texture;

uniform sampler2D u_photo;
uniform sampler2DShadow u_source_depth;
uniform vec2 u_grazing; // cosine to the source camera at which the photo fades out, is trusted
uniform vec3 u_neutral_albedo; // linear light

out vec4 out_colour;

#include "include/srgb.glsl"
#include "include/shading.glsl"

void main() {
    vec3 at = v_source_texture.xyz / v_source_texture.w;
    float facing = dot(normalize(v_source_normal_view), normalize(-v_source_position_view));
    bool inside = v_source_texture.w > 0.0 && all(equal(at.xy, clamp(at.xy, 0.0, 1.0)));
    float trust = inside ? smoothstep(u_grazing.x, u_grazing.y, facing) : 0.0;
    trust *= texture(u_source_depth, at);
    vec3 colour = texture(u_photo, at.xy).rgb;
    if (trust < 1.0) {
        vec3 lit = shade(u_neutral_albedo, 0.0, v_normal_view, v_position_view);
        colour = mix(srgb_from_linear(lit), colour, trust);
    }
    out_colour = vec4(colour * v_opacity, v_opacity);
}
