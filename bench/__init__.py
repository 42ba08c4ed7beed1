"""Measurements against other proxies, long runs and fuzzing: ``make bench soak fuzz``."""
