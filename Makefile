.DEFAULT_GOAL := help
SHELL := /bin/bash
CARGO ?= cargo
TARGET := $(or $(CARGO_TARGET_DIR),target)/release

.PHONY: help up down status test check bench load

help: ## This list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | column -t -s $$'\t'

up: ## Set up, build and run everything on this machine; MINES=file takes your own mines
	@scripts/setup.sh run
	$(CARGO) build --release --locked --bins
	@exec $(TARGET)/mineseal up $(if $(MINES),--mines $(MINES))

down: ## Stop what `make up` runs
	@$(TARGET)/mineseal down

status: ## Services, lag, latency and headcounts of what `make up` runs
	@$(TARGET)/mineseal status

test: ## Every test, against the real Kafka and the real ClickHouse engine
	@scripts/setup.sh test
	$(CARGO) build --release --locked --workspace --bins --tests
	$(TARGET)/mineseal-test-services -- $(CARGO) test --release --locked --workspace --no-fail-fast

check: ## Formatting, lints, licences
	$(CARGO) fmt --all -- --check
	$(CARGO) clippy --release --locked --workspace --all-targets -- -D warnings
	@scripts/deny.sh

bench: ## Micro-benches of the pure cores
	$(CARGO) bench --locked -p mineseal-benches

load: ## Drive MINES=n mines' recorded frames through the running pipeline
	$(CARGO) build --release --locked --bins
	$(TARGET)/mineseal-test-services -- $(TARGET)/mineseal-load --mines $(or $(MINES),3)
