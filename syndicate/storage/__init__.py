"""The database: tables, and a module of functions per noun. They take an open connection; services open it."""
