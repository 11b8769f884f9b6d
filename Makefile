# Two commands: `make demo` shows the product on a simulated site, `make test` checks the project. Both install the
# Debian or Ubuntu packages that they need and end with a clear line. Rust itself must be there (https://rustup.rs).
SHELL := /bin/bash
.DEFAULT_GOAL := help
SEEDS ?= 100000

.PHONY: help setup build demo test lint docs bench soak prove-rules bless

help: ## what there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 22

setup: ## install the packages that building and testing need
	@scripts/setup

build: setup ## build the program (dev profile): target/debug/trueup
	@echo "==> building trueup (the first time takes about four minutes on two cores)"
	@cargo build --locked --bin trueup

demo: build ## converge the example site on a simulated one, break it, repair it, prove it with real connections
	@scripts/demo

test: setup lint docs ## everything that has to hold before a change lands
	@scripts/test

lint:
	@echo "==> formatting and lints"
	@cargo fmt --all --check </dev/null
	@cargo clippy --locked --all-targets --quiet -- -D warnings </dev/null

docs:
	@echo "==> documentation builds"
	@log=$$(mktemp); trap 'rm -f "$$log"' EXIT; \
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps </dev/null >"$$log" 2>&1 || { cat "$$log"; exit 1; }

bless: setup ## write the generated files anew (schemas, reference, golden texts)
	@TRUEUP_BLESS=1 INSTA_UPDATE=always cargo test --locked

bench: build ## a dry run of 1,000 guests in true: wall time, the simulator's own time, calls, peak memory
	@scripts/bench

soak: setup ## the laws over any number of random worlds: make soak SEEDS=100000
	@TRUEUP_SEEDS=$(SEEDS) cargo test --locked --test laws -- --nocapture

prove-rules: setup ## each rule of docs/rules.md: break the code by its patch and see its test fail
	@scripts/prove-rules
