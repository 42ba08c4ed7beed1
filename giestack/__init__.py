"""An authenticating reverse proxy, notebook spawner and chat for Galaxy sites."""
