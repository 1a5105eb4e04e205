#version 330 core
// Places a mesh and looks up where a photo of it, taken in the source pose, saw each vertex.
// In: model frame, metres; in_source_*: the same vertices as they were when the photo was taken.

in vec3 in_position;
in vec3 in_normal;
in float in_opacity;
in vec3 in_source_position;
in vec3 in_source_normal;

uniform mat4 u_view_from_model;
uniform mat4 u_clip_from_view;
uniform mat4 u_source_view_from_model;
uniform mat4 u_texture_from_source_view; // to 0..1 texture coordinates and depth, times w
uniform vec3 u_depth_bias; // metres, source view frame, towards the camera

// Centroid: triangles may be smaller than a pixel, whose centre then is far outside of them.
centroid out vec3 v_position_view;
centroid out vec3 v_normal_view;
centroid out float v_opacity;
centroid out vec3 v_source_position_view;
centroid out vec3 v_source_normal_view;
out vec4 v_source_texture; // at the centre, else the photo wobbles along the triangles' edges

void main() {
    vec4 position_view = u_view_from_model * vec4(in_position, 1.0);
    vec4 source_view = u_source_view_from_model * vec4(in_source_position, 1.0);
    v_position_view = position_view.xyz;
    v_normal_view = mat3(u_view_from_model) * in_normal;
    v_opacity = in_opacity;
    v_source_position_view = source_view.xyz;
    v_source_normal_view = mat3(u_source_view_from_model) * in_source_normal;
    v_source_texture = u_texture_from_source_view * source_view;
    // The depth that is compared is a little nearer than the surface, else it shadows itself.
    vec4 biased = u_texture_from_source_view * (source_view + vec4(u_depth_bias, 0.0));
    v_source_texture.z = biased.z / biased.w * v_source_texture.w;
    gl_Position = u_clip_from_view * position_view;
}
