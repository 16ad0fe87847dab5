"""Collects new articles, publishes feeds and mails digests, and can prove that nobody was lost or mailed twice."""

__version__ = "0.1.0"
