#!/bin/bash
# Says what is missing to build, and how to get it; silent when nothing is.
set -euo pipefail

missing=()
if ! command -v "${CARGO:-cargo}" >/dev/null; then
  missing+=("cargo, the Rust toolchain 1.95 or newer: see https://rustup.rs, or your distribution's package rustup")
else
  wanted=$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' "$(dirname "$0")/../Cargo.toml" | head -n 1)
  found=$(rustc --version 2>/dev/null | sed 's/^rustc \([0-9.]*\).*/\1/')
  if [ -n "$wanted" ] && [ "$(printf '%s\n%s\n' "$wanted" "${found:-0}" | sort -V | head -n 1)" != "$wanted" ]; then
    missing+=("rustc $wanted or newer; ${found:-none} is installed: rustup update stable")
  fi
fi
# SQLite and a few others are compiled from C.
if ! command -v cc >/dev/null; then
  missing+=("cc, a C compiler: apt-get install build-essential (Debian, Ubuntu), dnf install gcc (Fedora), xcode-select --install (macOS)")
fi

if [ ${#missing[@]} -gt 0 ]; then
  printf 'missing: %s\n' "${missing[@]}" >&2
  exit 1
fi
