"""Two methods on the same frames: how far apart they are, and what each of them costs."""
