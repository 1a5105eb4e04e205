"""Methods of others, run with the user's own checkpoints. torch is allowed here."""
