"""The built-in mail API server, which speaks Mailpit's API, and its inbox."""
