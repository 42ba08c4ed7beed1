"""Start it if it is not there: profiles, the life of a session, engines, culling."""
