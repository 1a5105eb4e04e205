"""The program: command line and window. May import engine; engine never imports app."""
