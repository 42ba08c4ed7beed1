"""What a session map in a database is called where everybody may read it."""

from sqlalchemy.engine import make_url

_SECRETS = ("password", "sslpassword")


def map_name(url: str) -> str:
    """Return a SQLAlchemy URL without what is secret in it."""
    parsed = make_url(url).difference_update_query(_SECRETS)
    # Folders of sockets are easier to read with slashes.
    return parsed.render_as_string(hide_password=True).replace("%2F", "/")
