#version 330 core
// Data for every pixel in one pass. In: model and view frame, metres.
// Out: head normal and depth; view normal and triangle number + 1; weights of corners 0 and 1.

centroid in vec3 v_position_view;
centroid in vec3 v_normal_head;
centroid in vec3 v_normal_view;
in vec3 v_corner;

uniform vec3 u_depth_axis; // unit, view frame, the direction in which depth grows

layout(location = 0) out vec4 out_head_depth;
layout(location = 1) out vec4 out_view_triangle;
layout(location = 2) out vec2 out_corners;

void main() {
    out_head_depth = vec4(normalize(v_normal_head), dot(v_position_view, u_depth_axis));
    out_view_triangle = vec4(normalize(v_normal_view), float(gl_PrimitiveID + 1));
    out_corners = v_corner.xy;
}
