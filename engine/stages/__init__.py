"""The steps from a frame to a fitted head; each pays its set-up once and runs per frame."""
