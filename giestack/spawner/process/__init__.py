"""Sessions as local processes: an engine for trying out, without any isolation."""
