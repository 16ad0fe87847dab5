"""Webhooks of mail APIs."""
