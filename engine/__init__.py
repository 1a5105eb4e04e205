"""The n2fnet engine: images in, head-model parameters out. No Qt, no app, no print."""
