"""From articles to bytes: feeds, pages and mails. Pure: no database, no network."""
