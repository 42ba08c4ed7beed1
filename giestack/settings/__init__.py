"""The configuration: what its keys are, how it is read, and everything wrong with it at once."""
