#!/usr/bin/env bash
# The packages that are published build from what they hold alone, without a network. With
# `--no-verify` they are packed and not built.
set -euo pipefail
cd "$(dirname "$0")/.."

packages=(highwater-macros highwater highwater-monitor highwater-reports cargo-highwater)
cargo package --allow-dirty --locked --offline "${packages[@]/#/--package=}" "$@"

# Each has its licences and its readme.
version=$(cargo pkgid --locked --package highwater | sed 's/.*[#@]//')
for package in "${packages[@]}"; do
    for file in LICENSE-APACHE LICENSE-MIT README.md; do
        tar tzf "target/package/$package-$version.crate" "$package-$version/$file" >/dev/null
    done
done
