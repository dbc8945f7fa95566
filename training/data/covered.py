"""What Cutout and Random Erasing cover, on either backend."""

GREY = 128
SMALLEST_AREA = 0.02
LARGEST_ASPECT = 1 / 0.3
