#!/usr/bin/env bash
# The tests of what is made for Linux on AArch64, in an emulator on another processor. It
# takes minutes, so ci/nightly.sh runs it.
set -euo pipefail
cd "$(dirname "$0")/.."

command -v qemu-aarch64 aarch64-linux-gnu-gcc >/dev/null || {
    apt-get update -qq
    apt-get install -y -qq qemu-user gcc-aarch64-linux-gnu libc6-dev-arm64-cross
}
target=aarch64-unknown-linux-gnu
rustup target add "$target"
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc
# Where the target's libraries are, for the tests and for the processes that they start.
export QEMU_LD_PREFIX=/usr/aarch64-linux-gnu
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER=qemu-aarch64

# Tests start their own program again, which the system has to give to the emulator, too.
register=/proc/sys/fs/binfmt_misc/register
test -e "$register" || mount -t binfmt_misc binfmt_misc "$(dirname "$register")"
test -e "$(dirname "$register")/qemu-aarch64" || printf '%s' \
    ':qemu-aarch64:M::\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00' \
    ':\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff' \
    ':/usr/bin/qemu-aarch64:OCF' >"$register"

# Left out are the random programs, which take too long; what compiles a library with the C
# compiler of this machine; and a message that the emulator adds a line to.
test_all() {
    cargo test --locked --target "$target" -p highwater -p highwater-tests \
        --features highwater/c-heap "$@"
}
test_all --lib --test c_heap --test c_heap_and_rust --test foreign_threads --test overruns \
    --test recording --test survival --test no_allocation --test sites --test threads \
    -- --skip generator:: --skip a_library_stays_for_as_long --skip a_library_that_is_loaded_later \
    --skip each_request_of_c_fails_once
# And what takes more than its minute in an emulator.
test_all --test types -- --skip in_a_process_of_its_own
