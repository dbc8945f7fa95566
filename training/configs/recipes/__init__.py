"""Published recipes, one page each; docs/recipes.md has a table of them.

The authors of this repository ran none of them to completion. mixer_in1k.py describes what Google's
recipes have in common, deit.py what DeiT's and those built on it have in common.
"""
