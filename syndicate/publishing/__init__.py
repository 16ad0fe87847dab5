"""Targets: where feed files go."""
