"""Models as programs take them: saved by this project or by others."""
