// Light on synthetic heads. All directions in the head frame, colours in linear light.

uniform vec3 u_sh[9]; // irradiance over pi, order of engine/synth/spherical_harmonics.py
uniform vec3 u_sh_constants[2]; // the basis functions' factors
uniform int u_n_lamps; // those that are on come first
uniform vec3 u_lamp_direction[3];
uniform vec3 u_lamp_colour[3];
uniform vec3 u_wrap; // how far each colour of lamp light reaches round to the back: skin is red
uniform vec3 u_eye_position; // of the camera

// Light that a white matt surface with normal n gives back, without occlusion.
vec3 sky_light(vec3 n) {
    float c0 = u_sh_constants[0].x, c1 = u_sh_constants[0].y, c2 = u_sh_constants[0].z;
    float c3 = u_sh_constants[1].x, c4 = u_sh_constants[1].y;
    vec3 sum = c0 * u_sh[0] + c1 * (n.y * u_sh[1] + n.z * u_sh[2] + n.x * u_sh[3]);
    sum += c2 * (n.x * n.y * u_sh[4] + n.y * n.z * u_sh[5] + n.x * n.z * u_sh[7]);
    sum += c3 * (3.0 * n.z * n.z - 1.0) * u_sh[6] + c4 * (n.x * n.x - n.y * n.y) * u_sh[8];
    return max(sum, vec3(0.0));
}

// Normalised Blinn-Phong of all lamps, and the sky's mirror image; to be scaled by reflectance.
vec3 gloss_light(vec3 n, vec3 to_eye, float shininess, vec3 occlusion, vec3 shadow) {
    float facing = max(dot(n, to_eye), 0.0);
    float fresnel = 1.0 + 5.0 * pow(1.0 - facing, 5.0);
    vec3 sum = sky_light(reflect(-to_eye, n)) * occlusion;
    for (int i = 0; i < u_n_lamps; ++i) {
        float cosine = max(dot(n, normalize(u_lamp_direction[i] + to_eye)), 0.0);
        float lit = step(0.0, dot(n, u_lamp_direction[i]));
        sum += u_lamp_colour[i] * shadow[i] * lit
            * (shininess + 8.0) / 8.0 * pow(cosine, shininess);
    }
    return fresnel * sum;
}

vec3 matt_light(vec3 n, vec3 occlusion, vec3 shadow, vec3 wrap) {
    vec3 sum = sky_light(n) * occlusion;
    for (int i = 0; i < u_n_lamps; ++i) {
        vec3 cosine = (dot(n, u_lamp_direction[i]) + wrap) / (1.0 + wrap);
        sum += u_lamp_colour[i] * shadow[i] * max(cosine, vec3(0.0));
    }
    return sum;
}
