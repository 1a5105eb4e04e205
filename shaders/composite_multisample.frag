#version 330 core
// The mesh layer, to be blended over the photo: pixel by pixel, in encoded values.

uniform sampler2DMS u_layer; // four samples a pixel, multiplied by its alpha
uniform vec2 u_origin; // px, where in the picture the layer's first pixel is
uniform float u_opacity;

out vec4 out_colour;

void main() {
    ivec2 at = ivec2(gl_FragCoord.xy - u_origin);
    // Written out: a loop takes half as long again in software.
    vec4 sum = texelFetch(u_layer, at, 0) + texelFetch(u_layer, at, 1);
    sum += texelFetch(u_layer, at, 2) + texelFetch(u_layer, at, 3);
    out_colour = u_opacity * 0.25 * sum;
}
