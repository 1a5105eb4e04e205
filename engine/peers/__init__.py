"""Published networks of others. torch is allowed here; the live path has none of this."""
