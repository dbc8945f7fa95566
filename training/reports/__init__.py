"""Reports of a run for people to read: curves, pictures, pages and provenance."""
