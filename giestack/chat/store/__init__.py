"""Where the chat keeps everything: SQLite by default, PostgreSQL for several nodes."""
