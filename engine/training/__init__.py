"""Training of the normal network. torch is allowed here; nothing on the live path imports this."""
