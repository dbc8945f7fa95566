"""The published weights, one architecture a file: data only.

Sources: timm's configurations (1.0.31), the README and notebooks of the authors' repositories, and
the papers. timm's accuracies are those that timm measured on its own copies.
"""
