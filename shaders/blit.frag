#version 330 core
// A picture scaled to the viewport.

in vec2 v_texture;

uniform sampler2D u_picture;

out vec4 out_colour;

void main() {
    out_colour = vec4(texture(u_picture, v_texture).rgb, 1.0);
}
