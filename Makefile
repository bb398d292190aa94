# Two commands for a newcomer: `make run`, `make test`. Everything also works by plain cargo.

SHELL := /bin/bash
CARGO ?= cargo

.PHONY: help run test bench check tools

help:
	@echo "make run     build and serve http://127.0.0.1:8080 with the sample catalogue"
	@echo "make test    install what the tests need, then run every test"
	@echo "make bench   measure, each figure beside its baseline"
	@echo "make check   everything that a change must pass: format, lints, docs, dependencies, size, tests"

tools:
	@bash tests/tools.sh

run: tools
	$(CARGO) build --release --package catalog-server --bin alidade
	@exec "$$($(CARGO) metadata --format-version 1 --no-deps | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')/release/alidade" serve

test: tools
	@bash tests/setup.sh
	@bash tests/run.sh

bench: tools
	$(CARGO) xtask bench

check: tools
	$(CARGO) xtask check
