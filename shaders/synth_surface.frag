#version 330 core
// What of a head is seen at each pixel, to be lit once by synth_head.frag: meshes' triangles are
// about a pixel small, and software renderers shade a block of 16 pixels for each of them.
// Out: place and kind; normal and log2 of the texture coordinates a pixel covers; occlusion and u;
// shadow and v.

centroid in vec3 v_position;
centroid in vec3 v_normal;
centroid in vec2 v_uv;
centroid in vec3 v_occlusion;
centroid in vec3 v_shadow;
flat in float v_kind;

layout(location = 0) out vec4 out_position_kind;
layout(location = 1) out vec4 out_normal_footprint;
layout(location = 2) out vec4 out_occlusion_u;
layout(location = 3) out vec4 out_shadow_v;

void main() {
    vec2 across = dFdx(v_uv), down = dFdy(v_uv);
    float squared = max(dot(across, across), dot(down, down));
    out_position_kind = vec4(v_position, v_kind);
    out_normal_footprint = vec4(v_normal, 0.5 * log2(max(squared, 1e-12)));
    out_occlusion_u = vec4(v_occlusion, v_uv.x);
    out_shadow_v = vec4(v_shadow, v_uv.y);
}
