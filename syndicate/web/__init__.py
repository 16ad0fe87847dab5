"""The web server: feeds, the public pages, the console and the API for programs."""
