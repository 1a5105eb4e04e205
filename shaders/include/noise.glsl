// Noise on positions, from a small tiling volume of independent values.

uniform sampler3D u_noise; // 0..1
uniform float u_noise_cells; // texels along a side of it

// Four independent values 0..1, with features one unit wide.
vec4 noise4(vec3 p) {
    return texture(u_noise, p / u_noise_cells);
}

// One value 0..1, the same all over a unit cell.
float hash13(vec3 p) {
    p = fract(p * 0.1031);
    p += dot(p, p.zyx + 31.32);
    return fract((p.x + p.y) * p.z);
}
