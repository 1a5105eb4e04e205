#version 330 core
// Triangle edges as thin smooth lines over a faint fill. Hidden lines go, because the fill of
// nearer triangles replaces them. In: view frame. Out: encoded, multiplied by its alpha.

centroid in vec3 v_position_view;
centroid in vec3 v_normal_view;
centroid in float v_opacity;
in vec3 v_corner;

uniform vec3 u_line_colour; // encoded
uniform float u_line_width_px;
uniform float u_fill_opacity;
uniform float u_dense_px; // triangles flatter than this get weaker lines, else all is line

out vec4 out_colour;

void main() {
    // A corner's weight falls by 1 over the triangle's height: 1 / height in px is its gradient.
    vec3 slope = max(sqrt(pow(dFdx(v_corner), vec3(2.0)) + pow(dFdy(v_corner), vec3(2.0))), 1e-6);
    vec3 distance_px = v_corner / slope;
    float nearest_px = min(distance_px.x, min(distance_px.y, distance_px.z));
    float height_px = 1.0 / max(slope.x, max(slope.y, slope.z));
    float half_width = 0.5 * u_line_width_px;
    float line = 1.0 - smoothstep(half_width - 0.5, half_width + 0.5, nearest_px);
    line *= clamp(height_px / u_dense_px, 0.25, 1.0);
    float facing = max(dot(normalize(v_normal_view), normalize(-v_position_view)), 0.0);
    float alpha = mix(u_fill_opacity, 1.0, line) * v_opacity;
    out_colour = vec4(u_line_colour * mix(0.45, 1.0, facing) * alpha, alpha);
}
