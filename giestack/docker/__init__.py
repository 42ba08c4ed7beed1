"""A client of Docker's Engine API, on treq."""
