"""The commands, one module each. Heavy imports live inside them: `n2f --help` is instant."""
