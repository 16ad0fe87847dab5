"""Running things: the mail API of the moment, and everything that is due or unfinished, once."""
