#version 330 core
// The mesh layer, to be blended over the photo: pixel by pixel, in encoded values.

uniform sampler2D u_layer; // multiplied by its alpha
uniform vec2 u_origin; // px, where in the picture the layer's first pixel is
uniform float u_opacity;

out vec4 out_colour;

void main() {
    ivec2 at = ivec2(gl_FragCoord.xy - u_origin);
    out_colour = u_opacity * texelFetch(u_layer, at, 0);
}
