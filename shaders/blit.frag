#version 330 core
// A picture scaled to the viewport.

in vec2 v_texture;

uniform sampler2D u_picture;
uniform vec2 u_across;  // picture's x = u_across.x * viewport's x + u_across.y

out vec4 out_colour;

void main() {
    vec2 place = vec2(u_across.x * v_texture.x + u_across.y, v_texture.y);
    out_colour = vec4(texture(u_picture, place).rgb, 1.0);
}
