"""The settings: their model, how a YAML file becomes them, and the pages printed from them."""
