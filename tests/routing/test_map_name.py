"""Session maps by names that hold no secret."""

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.engine import URL
from twisted.trial.unittest import SynchronousTestCase

from giestack.routing.map_name import map_name

SECRETS = st.text("s3cret@:/ %&?#", min_size=1).map("hidden".__add__)


class MapNameTests(SynchronousTestCase):
    def test_names(self):
        for url, name in (
            ("postgresql://u@h:5432/map", "postgresql://u@h:5432/map"),
            ("postgresql+psycopg2://u:s3cret@h/map", "postgresql+psycopg2://u:***@h/map"),
            ("postgresql:///map?host=/run/x", "postgresql:///map?host=/run/x"),
            ("postgresql:///map?password=s3cret&user=u", "postgresql:///map?user=u"),
            ("postgresql://h/map?sslpassword=s3cret", "postgresql://h/map"),
            ("postgresql://h/map?PASSWORD=s3cret&passwd=s3cret", "postgresql://h/map"),
            ("postgresql://h/map?oauth_client_secret=s3cret&port=7", "postgresql://h/map?port=7"),
        ):
            self.assertEqual(map_name(url), name)

    @given(SECRETS, SECRETS)
    def test_secrets_are_hidden(self, one, other):
        url = URL.create("postgresql", "u", one, "h", 5432, "map", {"password": other, "port": "1"})
        self.assertNotIn("hidden", map_name(url.render_as_string(hide_password=False)))
