# Everything starts here; `make help` lists it. Each goal sets up what it needs.

# The build lives outside the checkout, so that a fresh clone (CI's, or a second one of yours) doesn't compile RocksDB again.
AFTERSEND_CACHE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/aftersend
CARGO_TARGET_DIR ?= $(AFTERSEND_CACHE)/target
export AFTERSEND_CACHE CARGO_TARGET_DIR
# Where `scripts/setup` puts Rust, should it have to.
export PATH := $(or $(CARGO_HOME),$(HOME)/.cargo)/bin:$(PATH)

# One set of flags for every goal, so that one build serves them all.
BUILD := --release --workspace --locked
# Says how far RocksDB is compiled, when it is.
CARGO := scripts/progress cargo

.DEFAULT_GOAL := help
.PHONY: help setup build run test bench chaos tidy lint verify clean distclean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## install what is missing to build and run (Debian: apt-get, rustup)
	@scripts/setup

build: setup ## build everything
	$(CARGO) build $(BUILD)

run: build ## the whole topology on this machine, live (make run ARGS="--events 10000 --once")
	@exec "$(CARGO_TARGET_DIR)/release/aftersend-demo" $(ARGS)

# What of `tests/chaos` is in every test run, in about two and a half minutes.
SHORT := crash_at_any_point zombie storm arrived never_came wall_clock
test: build ## every test, with a real Kafka, and some of the chaos
	cargo test $(BUILD)
	cargo test $(BUILD) --test chaos -- $(SHORT)

bench: build ## the processor beside a pass-through and Kafka Streams (make bench ARGS="--ids 1,10,30")
	@exec "$(CARGO_TARGET_DIR)/release/aftersend-benches" $(ARGS)

KILLS ?= 200
chaos: build ## exactly once, under every fault and so many kills (make chaos KILLS=20 SEED=7 ARGS=storm)
	CHAOS_KILLS=$(KILLS) CHAOS_SEED=$(SEED) cargo test $(BUILD) --test chaos -- --nocapture --test-threads=1 $(ARGS)

tidy: setup ## the rules of this tree: dependencies, names, sizes, comments, links
	$(CARGO) test $(BUILD) --test tidy

lint: setup ## formatting, the rules of this tree, lints and documentation, warnings refused
	cargo fmt --all --check
	$(CARGO) test $(BUILD) --test tidy
	$(CARGO) clippy $(BUILD) --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc $(BUILD) --no-deps

verify: lint ## lint, then chart, image, compose file and contracts (scripts/verify)
	scripts/verify/run $(ARGS)

clean: ## remove what the demo left behind; the build and the downloads stay
	rm -rf .demo

distclean: clean ## remove the build and the downloads as well
	rm -rf "$(CARGO_TARGET_DIR)" "$(AFTERSEND_CACHE)/kafka"
