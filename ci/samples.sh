#!/usr/bin/env bash
# The samples of configuration in docs, and the metrics of the monitor, by the tools that read
# them: systemd-analyze, and promtool of Debian's package `prometheus`.
set -euo pipefail
cd "$(dirname "$0")/.."

samples=$(mktemp -d)
trap 'rm -rf "$samples"' EXIT

# The first block of a page that is in this language.
block() {
    sed -n "/^\`\`\`$2\$/,/^\`\`\`\$/p" "$1" | sed '1d;/^```$/,$d'
}

block docs/restarts.md ini >"$samples/trading.service"
systemd-analyze verify "$samples/trading.service"

block docs/metrics.md yaml >"$samples/rules.yml"
promtool check rules "$samples/rules.yml"

# The text of the snapshot, below its header.
for metrics in harness/monitor/tests/snapshots/metrics__*.snap; do
    sed '1,/^---$/d' "$metrics" | promtool check metrics
done
