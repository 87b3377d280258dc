#!/bin/sh
# Installs what `npm run build:cross`, `test:cross` and `check:platforms` use, on Debian 12 or newer, as root.
# Where rustup brings other targets (`rustup target add`), only zig, cargo-zigbuild and the emulators are needed.
set -e

if ! command -v apt-get >/dev/null; then
  echo "tools.sh: knows apt-get only; needed are zig, cargo-zigbuild, the std of each Rust target (rustup target add)," >&2
  echo "and for the tests qemu-aarch64-static, arm64 libraries (libc, libstdc++, libatomic), musl-gcc, patchelf" >&2
  exit 1
fi

# arm64 programs find the libraries of their own at the usual places.
dpkg --add-architecture arm64
apt-get update
# A Rust whose std can be built from its source for any target, in place of targets that rustup would download.
apt-get install -y --no-install-recommends rustc-web cargo-web rust-web-src rust-web-clippy
apt-get install -y --no-install-recommends qemu-user-static libc6:arm64 libstdc++6:arm64 libatomic1:arm64
apt-get install -y --no-install-recommends binutils musl-tools patchelf
if command -v rustup >/dev/null; then rustup toolchain link web /usr; fi
# zig is the linker for every target: `zig cc` brings each C library's symbols, of glibc as old as is wanted.
command -v pip >/dev/null || apt-get install -y --no-install-recommends python3-pip
PIP_BREAK_SYSTEM_PACKAGES=1 pip install ziglang==0.17.1 cargo-zigbuild==0.24.1
