"""The console: where the newsroom works."""
