"""``giestack doctor``: looks at a deployment from all sides, and says what would help."""
