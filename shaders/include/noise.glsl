// Value noise on positions: the same on every device, without textures.

float hash13(vec3 p) {
    p = fract(p * 0.1031);
    p += dot(p, p.zyx + 31.32);
    return fract((p.x + p.y) * p.z);
}

// 0..1, features about one unit wide.
float noise3(vec3 p) {
    vec3 cell = floor(p);
    vec3 f = p - cell;
    f = f * f * (3.0 - 2.0 * f);
    vec2 step = vec2(0.0, 1.0);
    vec4 low = vec4(hash13(cell), hash13(cell + step.yxx), hash13(cell + step.xyx),
                    hash13(cell + step.yyx));
    vec4 high = vec4(hash13(cell + step.xxy), hash13(cell + step.yxy), hash13(cell + step.xyy),
                     hash13(cell + step.yyy));
    vec4 across = mix(low, high, f.z);
    vec2 along = mix(across.xy, across.zw, f.y);
    return mix(along.x, along.y, f.x);
}
