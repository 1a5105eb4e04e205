"""Takes: films, pictures and parameters of what is fitted live."""
