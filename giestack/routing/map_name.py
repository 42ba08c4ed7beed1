"""What a session map in a database is called where everybody may read it."""

from sqlalchemy.engine import make_url

# Options of libpq that say where a database is and who asks. Of others nobody knows what they hold.
_SHOWN = frozenset(("host", "hostaddr", "port", "dbname", "user", "service", "sslmode"))


def map_name(url: str) -> str:
    """Return a SQLAlchemy URL without what is secret in it."""
    parsed = make_url(url)
    parsed = parsed.difference_update_query([name for name in parsed.query if name not in _SHOWN])
    # Folders of sockets are easier to read with slashes.
    return parsed.render_as_string(hide_password=True).replace("%2F", "/")
