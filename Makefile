# Every target does what a fresh machine needs first; what is there already costs nothing.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo development)
COMMIT ?= $(shell git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)
LDFLAGS := -s -w -X main.version=$(VERSION) -X main.commit=$(COMMIT)

# Tests that need the models find them here; every checkout may share one folder.
export TALKSTACK_MODELS_DIR ?= $(CURDIR)/data/models

GOLANGCI_LINT := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
SQLC := github.com/sqlc-dev/sqlc/cmd/sqlc@v1.31.1
BENCHSTAT := golang.org/x/perf/cmd/benchstat@v0.0.0-20260908200009-22c9c6c9d4da

# The linker is told the commit; asking Git for it again fails in a checkout that another user owns.
export GOFLAGS += -buildvcs=false

FUZZTIME ?= 60s
BENCH ?= .
BENCHCOUNT ?= 1

.PHONY: help
help: ## print this help
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: ## everything a fresh machine needs, then the server in development mode on http://127.0.0.1:8080
	@scripts/packages run
	@$(MAKE) build models
	@exec bin/talkstack serve --dev

.PHONY: test
test: ## everything a fresh machine needs, then all tests
	@scripts/packages test
	@$(MAKE) build models
	@scripts/test

.PHONY: build
build: ## bin/talkstack
	@scripts/docs-page --optional
	@mkdir -p bin
	@go build -ldflags '$(LDFLAGS)' -o bin/talkstack ./cmd/talkstack

.PHONY: check
check: ## format, vet and lint
	@scripts/format-check
	@go vet ./...
	@go run $(GOLANGCI_LINT) run

.PHONY: bench
bench: build models ## benchmarks; BENCH picks some, BENCHCOUNT repeats them; results are kept in build/bench
	@scripts/bench '$(BENCH)' '$(BENCHCOUNT)' '$(BENCHSTAT)'

.PHONY: fuzz
fuzz: ## each fuzz target for FUZZTIME (60s)
	@scripts/fuzz '$(FUZZTIME)'

.PHONY: e2e
e2e: ## the end-to-end tests alone, with real peers
	@scripts/packages test
	@$(MAKE) build models
	@scripts/test e2e

.PHONY: models
models: build ## fetch and prepare the speech models
	@bin/talkstack models install --dir '$(TALKSTACK_MODELS_DIR)'

.PHONY: generate
generate: ## make the generated files anew: database queries, settings reference
	@mkdir -p build
	@go run $(SQLC) generate
	@rm -rf build/pgcheck
	@go run ./cmd/talkstack config describe --format=markdown > build/configuration.md.new
	@mv build/configuration.md.new docs/configuration.md

.PHONY: clean
clean: ## remove what was built; data/ stays
	@rm -rf bin build
