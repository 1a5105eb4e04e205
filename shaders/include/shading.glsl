// Three soft lights and a sky, all fixed to the camera. View frame, linear light.

const int N_LIGHTS = 3;

uniform vec3 u_light_direction[N_LIGHTS]; // unit, towards the light, view frame
uniform vec3 u_light_colour[N_LIGHTS];
uniform vec3 u_up; // unit, view frame
uniform vec3 u_sky_colour;
uniform vec3 u_ground_colour;
uniform vec3 u_wrap; // by channel: how far light reaches round the terminator, as it does in skin
uniform vec2 u_specular; // reflectance at normal incidence: matt, wet
uniform vec2 u_shininess; // exponent of the highlight: matt, wet

// The first light's; the others are broad and would show none.
vec3 highlight(float gloss, vec3 n, vec3 to_eye) {
    float shininess = mix(u_shininess.x, u_shininess.y, gloss);
    float reflectance = mix(u_specular.x, u_specular.y, gloss);
    float facing = max(dot(n, u_light_direction[0]), 0.0);
    float half_facing = max(dot(n, normalize(u_light_direction[0] + to_eye)), 0.0);
    float lobe = (shininess + 8.0) / 8.0 * pow(half_facing, shininess); // energy-normalised
    return u_light_colour[0] * reflectance * lobe * facing;
}

vec3 shade(vec3 albedo, float gloss, vec3 normal_view, vec3 position_view) {
    vec3 n = normalize(normal_view);
    vec3 to_eye = normalize(-position_view);
    vec3 diffuse = mix(u_ground_colour, u_sky_colour, 0.5 + 0.5 * dot(n, u_up));
    for (int i = 0; i < N_LIGHTS; ++i) {
        vec3 wrapped = max((dot(n, u_light_direction[i]) + u_wrap) / (1.0 + u_wrap), 0.0);
        diffuse += u_light_colour[i] * wrapped * wrapped;
    }
    return albedo * diffuse + highlight(gloss, n, to_eye);
}
