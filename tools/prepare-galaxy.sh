#!/usr/bin/env bash
# Puts a Galaxy from PyPI into .prepared/galaxy, and says so. Quick when it is there.
#
# Galaxy pins what it needs, often not what giestack needs: so it has a virtual environment of its
# own. Its web pages are not built; all that giestack's tests ask of it works without them.
set -euo pipefail
cd "$(dirname "$0")/.."

release="26.1.*"
place=.prepared/galaxy
stamp="$place/.installed-$(printf '%s' "$release" | sha256sum | cut -c1-16)"

if [ ! -e "$stamp" ] || ! "$place/bin/python" -c 'import galaxy.webapps.galaxy, psycopg2' 2>/dev/null; then
  echo "==> installing Galaxy $release from PyPI into $place (2 minutes, 900 MB)"
  rm -rf "$place"
  .venv/bin/python -m venv "$place"
  "$place/bin/python" -m pip install --quiet --disable-pip-version-check \
    "galaxy-web-apps==$release" psycopg2-binary 2>&1 |
    { grep -v -e '^WARNING: Location' -e '^WARNING: Running pip as' || true; }
  "$place/bin/python" -c 'import galaxy.webapps.galaxy, psycopg2'
  touch "$stamp"
fi
