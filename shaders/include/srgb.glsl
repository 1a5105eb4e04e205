// Linear light 0..1 to encoded sRGB 0..1; the numbers are engine/render/colour.py's.

uniform float u_srgb_slope;
uniform float u_srgb_offset;
uniform float u_srgb_exponent;
uniform float u_srgb_knee;

vec3 srgb_from_linear(vec3 linear) {
    vec3 bounded = clamp(linear, 0.0, 1.0);
    vec3 curve = (1.0 + u_srgb_offset) * pow(bounded, vec3(u_srgb_exponent)) - u_srgb_offset;
    return mix(u_srgb_slope * bounded, curve, step(u_srgb_knee, bounded));
}
