#!/usr/bin/env bash
# Runs all tests under trial with coverage; the last line is "N passed, N failed".
#
#   tools/test.sh [test modules…]     default: all, in lanes side by side (tests/lanes.py)
set -uo pipefail
cd "$(dirname "$0")/.."
log=$(mktemp)
trap 'rm -f "$log"' EXIT
export COVERAGE_FILE="$PWD/.coverage"
rm -f .coverage .coverage.*
run() {
  if [ $# -eq 0 ]; then
    .venv/bin/python -m tests.lanes
  else
    .venv/bin/python -b -W error::DeprecationWarning:giestack -m coverage run \
      -m twisted.trial "$@"
  fi
}
run "$@" 2>&1 | tee "$log"
status=${PIPESTATUS[0]}
.venv/bin/python -m coverage combine --quiet
if [ $# -eq 0 ]; then
  .venv/bin/python -m coverage report || status=1
fi
.venv/bin/python - "$log" "$status" <<'PY'
import re
import sys

text = open(sys.argv[1], encoding="utf-8", errors="replace").read()
summary = re.findall(r"^(?:PASSED|FAILED)(?: \((.*)\))?$", text, re.M)[-1:]
counts = dict(re.findall(r"(\w+)=(\d+)", summary[0])) if summary else {}
passed = int(counts.get("successes", 0))
failed = sum(int(counts.get(name, 0)) for name in ("failures", "errors", "unexpectedSuccesses"))
if int(counts.get("skips", 0)):
    print(f"{counts['skips']} tests were skipped; none may be")
    failed += int(counts["skips"])
ok = sys.argv[2] == "0" and passed and not failed
if not ok and not failed:
    print("no test ran" if not passed else "something beside the tests failed, see above")
    failed = 1
print(f"{passed} passed, {failed} failed")
sys.exit(0 if ok else 1)
PY
