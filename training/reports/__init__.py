"""What a run leaves for people to read: curves, pictures, pages and where its figures come from."""
