#!/bin/sh
# Measures memory beside a base, for any CI system and for the desk:
#
#   sh memory.sh origin/main
#
# Without an argument, holds what is checked out to its baselines. What it writes is
# in memory/. Exits with 0 if all is well, 1 for a regression, 2 if there is no
# answer, 3 if something is to be recorded.
set -eu

version=0.1.0
outputs="--markdown memory/comment.md --junit memory/junit.xml --json memory/outcome.json"

cargo highwater --version 2>/dev/null | grep -qF " $version" ||
    cargo install --locked "cargo-highwater@$version"

code=0
if test $# -gt 0; then
    # From where the two parted: what the base got since is not ours.
    base=$(git merge-base "$1" HEAD) || {
        echo "memory.sh: $1 and what is checked out have no commit in common" >&2
        exit 2
    }
    # shellcheck disable=SC2086 # several words
    cargo highwater gate --base "$base" $outputs || code=$?
else
    cargo highwater run || code=$?
    test "$code" -gt 1 && exit "$code"
    checked=0
    # shellcheck disable=SC2086 # several words
    cargo highwater check $outputs || checked=$?
    # Tests that failed are not made good by something to record.
    test "$code" -eq 1 || code=$checked
    test "$checked" -ne 2 || code=2
fi
test "$code" -eq 2 || cargo highwater view --output memory/index.html
exit "$code"
