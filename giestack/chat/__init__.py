"""Who else is here? Rooms in which people talk to each other."""
