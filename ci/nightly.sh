#!/usr/bin/env bash
# What must hold too, and takes too long for every change. `.ci/run` has the rest.
set -euo pipefail
cd "$(dirname "$0")/.."

export CARGO_TERM_COLOR=never

# The README's command, built as a user builds it. It says what is shown by default.
cargo run --release

# The oldest Rust that the library says it needs.
oldest=$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' harness/Cargo.toml)
rustup toolchain install "$oldest" --profile minimal
CARGO_TARGET_DIR=target/oldest cargo "+$oldest" check --locked -p highwater

# What is published builds from what it holds.
ci/packages.sh

# A newcomer's first minutes with a library and a service; the time of each step is printed.
cargo test --workspace --locked --test newcomer -- --ignored --nocapture --test-threads 1

# The samples of configuration in docs, by the tools that read them.
command -v promtool >/dev/null || {
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends prometheus
}
ci/samples.sh

# The allocator's tests under AddressSanitizer, which wants `pthread_create` for itself.
ASAN_OPTIONS=detect_leaks=0 CARGO_TARGET_DIR=target/asan \
RUSTC_BOOTSTRAP=1 RUSTFLAGS="-Zsanitizer=address -Cforce-frame-pointers=yes" \
cargo test --locked --target x86_64-unknown-linux-gnu -p highwater \
    --no-default-features --features macros --lib alloc::

# Above jemalloc, and with SQLite beneath; each takes a minute to build.
for adopter in jemalloc rusqlite; do
    (
        cd "tests/adopters/$adopter"
        CARGO_TARGET_DIR=../../../target/adopters cargo test --locked
    )
done

# What is made for Linux on AArch64, in an emulator.
ci/aarch64.sh

# The counting code in 20,000 interleavings of each model.
HIGHWATER_PORTABLE=1 CARGO_TARGET_DIR=target/model RUSTFLAGS="--cfg highwater_shuttle" \
cargo test --release --locked -p highwater --lib alloc::model

# A million damaged reports, baselines, configurations and outcomes, in three tests.
PROPTEST_CASES=334000 CARGO_TARGET_DIR=target/checked CARGO_PROFILE_RELEASE_OVERFLOW_CHECKS=true \
cargo test --release --locked -p cargo-highwater --test mutated

# Fifty runs of scenarios with hash maps, threads and tokio are the same.
cargo test --workspace --locked --test unsteady -- --ignored --nocapture

# Gates, a bless and a bisect that are killed at 140 moments, which takes up to an hour.
cargo test --workspace --locked --test killed -- --ignored --nocapture --test-threads 1

# A suite on four machines, of which one is lost. It needs nextest.
cargo test --locked -p cargo-highwater --test shards -- --ignored

# Twenty-five times as many random programs, sound and leaky.
HIGHWATER_CASES=50_000 \
cargo test --release --locked -p highwater --lib generator -- --nocapture

# The whole service for eight simulated hours, sound and with each defect, and on the real clock.
cargo test --release --locked -p highwater-scenarios --test soak -- --ignored

# All known leaks, whose verdicts are the same in each round.
cargo run --release --locked -p highwater-tests --bin known-leaks -- --rounds 3

# The figures in release are the same each time.
for _ in 1 2 3; do
    cargo test --release --locked -p highwater-tests --test scenarios --test verdicts
done
