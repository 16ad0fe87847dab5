"""A whole sample site, made in one go."""
