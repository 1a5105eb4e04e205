#version 330 core
// Places a part of a synthetic scene. In: head frame, metres; occlusion and shadow 0..1.
// Out: head frame; depth along the camera's axis, metres.

in vec3 in_position;
in vec3 in_normal;
in vec2 in_uv;
in float in_kind; // 16 x shading part + class of the parsing
in vec3 in_occlusion;
in vec3 in_shadow; // share of each lamp's light that arrives

uniform mat4 u_view_from_head;
uniform mat4 u_clip_from_view;
uniform vec3 u_depth_axis; // view frame: the direction in which depth grows

centroid out vec3 v_position;
centroid out vec3 v_normal;
centroid out vec2 v_uv;
centroid out vec3 v_occlusion;
centroid out vec3 v_shadow;
out float v_depth;
flat out float v_kind;

void main() {
    vec4 view = u_view_from_head * vec4(in_position, 1.0);
    v_position = in_position;
    v_normal = in_normal;
    v_uv = in_uv;
    v_kind = in_kind;
    v_occlusion = in_occlusion;
    v_shadow = in_shadow;
    v_depth = dot(view.xyz, u_depth_axis);
    gl_Position = u_clip_from_view * view;
}
