"""What people who mean harm try, and what they get: one file for each theme, against the application as served."""
