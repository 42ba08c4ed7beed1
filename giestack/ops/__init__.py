"""Is it well? Metrics, health, logs."""
