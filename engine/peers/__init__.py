"""Published networks that regress FLAME. torch is allowed here; the live path has none of this."""
