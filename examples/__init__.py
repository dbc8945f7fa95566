"""Short programs to copy from: see README.md."""
