#version 330 core
// Places a mesh. In: model frame, metres; albedo in linear light.
// Out: *_head in the model frame, *_view in the view frame.

in vec3 in_position;
in vec3 in_normal;
in vec3 in_albedo;
in float in_opacity;
in float in_gloss;

uniform mat4 u_view_from_model;
uniform mat4 u_clip_from_view;

// Centroid: triangles may be smaller than a pixel, whose centre then is far outside of them.
centroid out vec3 v_position_view;
centroid out vec3 v_normal_head;
centroid out vec3 v_normal_view;
centroid out vec3 v_albedo;
centroid out float v_opacity;
centroid out float v_gloss;
out vec3 v_corner; // weights of the triangle's corners; true only when drawn without an index

void main() {
    vec4 position_view = u_view_from_model * vec4(in_position, 1.0);
    v_position_view = position_view.xyz;
    v_normal_head = in_normal;
    v_normal_view = mat3(u_view_from_model) * in_normal;
    v_albedo = in_albedo;
    v_opacity = in_opacity;
    v_gloss = in_gloss;
    v_corner = vec3(equal(ivec3(gl_VertexID % 3), ivec3(0, 1, 2)));
    gl_Position = u_clip_from_view * position_view;
}
