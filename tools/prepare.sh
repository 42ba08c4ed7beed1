#!/usr/bin/env bash
# Sets up what a make target needs, and says what it installs. Quick when all is there.
#
#   tools/prepare.sh [--packages "DEBIAN PACKAGES"] [--extras "EXTRA,EXTRA"] [--no-services]
#
# Python packages go into .venv; Debian packages are installed only by root, else named.
set -euo pipefail
cd "$(dirname "$0")/.."

packages="" extras="postgres" services=yes
while [ $# -gt 0 ]; do
  case "$1" in
    --packages) packages="$2"; shift 2 ;;
    --extras) extras="$extras,$2"; shift 2 ;;
    --no-services) services=no; shift ;;
    *) echo "prepare: unknown option $1" >&2; exit 2 ;;
  esac
done

say() { echo "==> $*"; }

installed() { dpkg-query -W -f='${Status}' "$1" 2>/dev/null | grep -q 'ok installed'; }

policy=/usr/sbin/policy-rc.d
install_packages() {
  export DEBIAN_FRONTEND=noninteractive
  # Tests start what they need themselves: no service of a new package is to run, or take a port.
  if [ "$services" = no ] && [ ! -e $policy ]; then
    printf '#!/bin/sh\nexit 101\n' >$policy && chmod 755 $policy
    trap 'rm -f $policy' EXIT
  fi
  apt-get update -q >/dev/null
  apt-get install -y -q --no-install-recommends "$@" >/dev/null
}

installing=""
await_packages() {
  [ -z "$installing" ] || wait "$installing"
  installing=""
}
# Whatever else goes wrong: nothing goes on behind its back.
trap '[ -z "$installing" ] || wait "$installing" || true' EXIT

python=""
for candidate in python3 python3.13 python3.12 python3.11; do
  if command -v "$candidate" >/dev/null &&
    "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    python=$candidate
    break
  fi
done
if [ -z "$python" ]; then
  packages="python3 python3-venv $packages"
elif ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
  packages="python3-venv $packages"
fi

missing=""
if command -v dpkg-query >/dev/null; then
  for package in $packages; do
    installed "$package" || missing="$missing $package"
  done
fi
if [ -n "$missing" ]; then
  if [ "$(id -u)" = 0 ]; then
    say "installing Debian packages:$missing"
    # shellcheck disable=SC2086
    install_packages $missing &
    installing=$!
    # Python's packages come at the same time, where there is a Python already.
    case " $missing " in *" python3"*) await_packages ;; esac
  else
    echo "prepare: these Debian packages are missing, and only root may install them:" >&2
    echo "    apt-get install$missing" >&2
    exit 1
  fi
fi
python=${python:-python3}

mkdir -p .prepared
if [ ! -x .venv/bin/python ]; then
  say "making a virtual environment in .venv"
  "$python" -m venv .venv
fi
stamp=".prepared/$(printf '%s' "$extras" | tr ',' '-')-$(cat setup.py tools/prepare.sh | sha256sum | cut -c1-16)"
if [ ! -e "$stamp" ] || ! .venv/bin/python -c 'import giestack' 2>/dev/null; then
  say "installing giestack[$extras] into .venv"
  .venv/bin/python -m pip install --quiet --disable-pip-version-check -e ".[$extras]" 2>&1 |
    { grep -v -e '^WARNING: Location' -e '^WARNING: Running pip as' || true; }
  .venv/bin/python -c 'import giestack'
  touch "$stamp"
fi
await_packages
