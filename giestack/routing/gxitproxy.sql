-- The session map of Galaxy's interactive tools in PostgreSQL: its table, and the trigger that tells
-- giestack (and gx-it-proxy) of every change.
--
-- It belongs into a database of its own, never into Galaxy's, and is run as the user that Galaxy
-- writes with, as whoever makes a table owns it. It may be run again and again.
--
--   createdb --owner=galaxy gxitproxy
--   psql --set=ON_ERROR_STOP=1 --file=gxitproxy.sql postgresql://galaxy@HOST/gxitproxy
--
-- or, which does the same: giestack create-map postgresql://galaxy@HOST/gxitproxy
-- Where giestack has a user of its own: GRANT SELECT ON gxitproxy TO giestack;

BEGIN;
SET LOCAL lock_timeout = '4s';

DO $$
BEGIN
  IF to_regclass('galaxy_session') IS NOT NULL THEN
    RAISE EXCEPTION 'this is Galaxy''s own database: give the session map one of its own';
  END IF;
END
$$;

-- As Galaxy makes it with the first interactive tool.
CREATE TABLE IF NOT EXISTS gxitproxy (
  key VARCHAR(16) NOT NULL,
  key_type TEXT NOT NULL,
  token VARCHAR(32),
  host TEXT,
  port INTEGER,
  info TEXT,
  PRIMARY KEY (key, key_type)
);

CREATE OR REPLACE FUNCTION notify_gxitproxy() RETURNS trigger AS $$
BEGIN
  PERFORM pg_notify('gxitproxy', '');
  RETURN NULL;
END
$$ LANGUAGE plpgsql;

DROP TRIGGER IF EXISTS gxitproxy_notify ON gxitproxy;
CREATE TRIGGER gxitproxy_notify AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON gxitproxy
  FOR EACH STATEMENT EXECUTE FUNCTION notify_gxitproxy();

COMMIT;
