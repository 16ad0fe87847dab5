"""What articles look like in feeds, pages and mails."""
