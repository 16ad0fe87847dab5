"""Queues: how processes call each other to work. `site.py` picks the one that fits the database."""
