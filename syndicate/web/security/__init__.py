"""Who may do what: signed-in people, and programs with a token."""
