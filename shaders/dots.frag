#version 330 core
// A round dot with an outline. In: px from its centre. Out: encoded, multiplied by its alpha.

in vec2 v_from_centre_px;

uniform float u_radius_px;
uniform float u_outline_px;
uniform vec3 u_dot_colour; // encoded
uniform vec3 u_outline_colour; // encoded
uniform float u_opacity;

out vec4 out_colour;

float disc(float radius_px) {
    return clamp(radius_px + 0.5 - length(v_from_centre_px), 0.0, 1.0);
}

void main() {
    float alpha = disc(u_radius_px) * u_opacity;
    vec3 colour = mix(u_outline_colour, u_dot_colour, disc(u_radius_px - u_outline_px));
    out_colour = vec4(colour * alpha, alpha);
}
