"""The rules of the house: imports, names, packaging, and the first run on a fresh machine."""
