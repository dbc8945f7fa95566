"""Published recipes, one page each; docs/recipes.md is their table.

None was trained to its end by the authors of this repository. What Google's recipes have in
common is told in mixer_in1k.py, what DeiT's and those built on it have in deit.py.
"""
