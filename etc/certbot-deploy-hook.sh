#!/bin/sh
# Gives giestack a certificate that certbot has renewed. Install it as
#   /etc/letsencrypt/renewal-hooks/deploy/giestack (mode 755);
# certbot runs it for each certificate it has renewed. For those it has already:
#   RENEWED_LINEAGE=/etc/letsencrypt/live/NAME /etc/letsencrypt/renewal-hooks/deploy/giestack
#
# Only root may read certbot's own folder, so each certificate goes, with its key in one file, to a
# folder that giestack may read. In giestack.yml:
#   proxy: {listen: ["tls:/etc/giestack/tls:443"]}
# Each visitor gets the certificate for the name in the address: galaxy.example.org has one, and
# *.ep.interactivetool.galaxy.example.org another, or one has both. Connections that are open stay,
# those that follow have the new certificate. Should it not fit, giestack keeps the one it has, and
# its log says why.
set -eu
umask 077

folder=${GIESTACK_TLS:-/etc/giestack/tls}
group=${GIESTACK_GROUP:-giestack}
reload=${GIESTACK_RELOAD:-systemctl reload giestack}

name=$(basename "${RENEWED_LINEAGE:?it is for certbot to run}")
[ -d "$folder" ] || install -d -m 750 -g "$group" "$folder"
new=$(mktemp "$folder/.$name.XXXXXX")
trap 'rm -f "$new"' EXIT
cat "$RENEWED_LINEAGE/fullchain.pem" "$RENEWED_LINEAGE/privkey.pem" >"$new"
chgrp "$group" "$new"
chmod 640 "$new"
# As a whole or not at all, whoever reads it meanwhile.
mv "$new" "$folder/$name.pem"
$reload
