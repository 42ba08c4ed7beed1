"""Sessions as local processes: no isolation, for trying out and for tests."""
