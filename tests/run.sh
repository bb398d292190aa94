#!/bin/bash
# Runs every test, documentation's examples included, and closes with one plain line: how many passed, how many failed.
set -uo pipefail
cd "$(dirname "$0")/.."
cargo=${CARGO:-cargo}
seen=$(mktemp)
trap 'rm -f "$seen"' EXIT

status=0
# The tests of the crate `catalog-tests` start the real binaries, which cargo does not build for another crate's tests.
# With the tests, so that both agree on the features of their dependencies and nothing is compiled twice.
"$cargo" build --workspace --bins --tests || { echo "0 passed, 1 failed"; exit 1; }
if "$cargo" nextest --version >/dev/null 2>&1; then
  "$cargo" nextest run --workspace --profile ci 2>&1 | tee -a "$seen" || status=1
else
  "$cargo" test --workspace --no-fail-fast --lib --bins --tests 2>&1 | tee -a "$seen" || status=1
fi
"$cargo" test --workspace --doc --no-fail-fast 2>&1 | tee -a "$seen" || status=1

# Nextest ends with `Summary […] 12 tests run: 10 passed, 2 failed`, the built-in harness with `test result: ok. 10 passed; 2 failed`.
sum() { grep -E '^ *Summary|^test result:' "$seen" | grep -oE "[0-9]+ $1" | awk '{ n += $1 } END { print n + 0 }'; }
passed=$(sum passed)
failed=$(($(sum failed) + $(sum 'timed out')))
# A build that broke has no failed test to count.
if [ "$status" -ne 0 ] && [ "$failed" -eq 0 ]; then failed=1; fi
echo "$passed passed, $failed failed"
exit "$status"
