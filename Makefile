# `make` lists the targets. All that is needed is Go: the tools are pinned in
# internal/tools, built with it on first use, and kept in .tools.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-builtin-rules
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# The modules of this repository that tests and linters go through.
MODULES := . $(patsubst %/go.mod,%,$(wildcard e2e/go.mod cmd/*/go.mod))
# The race detector needs a C compiler; without one the tests run without it.
RACE := $(if $(filter 1,$(shell go env CGO_ENABLED)),-race)
TEST_FLAGS ?=
BENCH ?= .
BENCHTIME ?= 1s
FUZZTIME ?= 30s

BUILDER := .tools/builder
MDATAGEN := .tools/mdatagen
GOLANGCI_LINT := .tools/golangci-lint

# What the collector is compiled from: Go code, and files beside it that it may embed.
SOURCES := $(shell find . \( -name '.?*' -o -name testdata -o -path ./dist -o -path ./e2e -o -path ./cmd -o -path ./internal/tools \) -prune \
	-o -type f \( -name '*.go' -o -path './internal/*' \) ! -name '*_test.go' -print)

.PHONY: help
help: ## Describe the targets
	@echo "Targets:"
	@awk -F ':.*## ' '/^[a-z][a-z-]*:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo "Variables: BENCH=$(BENCH) BENCHTIME=$(BENCHTIME) FUZZTIME=$(FUZZTIME) TEST_FLAGS=$(TEST_FLAGS)"

.PHONY: run
run: dist/otelcol ## Build and start a collector with telemetry to watch, and print how
	@cat examples/quickstart/watch.txt
	@stopped=; trap 'stopped=yes' INT TERM; \
	dist/otelcol --config examples/quickstart/collector.yaml || { test -n "$$stopped" && \
	echo "Stopped. (Its own receiver closes first: \"connection refused\" above means just that.)"; }

.PHONY: build
build: dist/otelcol ## Build the collector described in builder-config.yaml: dist/otelcol

.PHONY: test
test: ## Run all tests: units, the seeds of the fuzz tests, end to end
	@failed=; for module in $(MODULES); do \
		(cd "$$module" && go test $(RACE) $(TEST_FLAGS) ./...) || failed=yes; \
	done; test -z "$$failed"

.PHONY: lint
lint: $(GOLANGCI_LINT) ## Check the code and its formatting with the linters of .golangci.yml
	@failed=; for module in $(MODULES); do \
		(cd "$$module" && go vet ./... && "$(CURDIR)/$(GOLANGCI_LINT)" run ./...) || failed=yes; \
	done; test -z "$$failed"

.PHONY: fmt
fmt: $(GOLANGCI_LINT) ## Format the code
	@for module in $(MODULES); do \
		(cd "$$module" && "$(CURDIR)/$(GOLANGCI_LINT)" fmt ./...); \
	done

.PHONY: generate
generate: $(MDATAGEN) ## Write the generated files anew (from metadata.yaml)
	@# mdatagen names packages after the directory it runs in, and a clone may
	@# have any name: run it through a link that has the package's.
	@link="$$(mktemp -d)/remotetapprocessor"; trap 'rm -r "$${link%/*}"' EXIT; \
	ln -s "$(CURDIR)" "$$link"; \
	GOWORK=off $(MDATAGEN) "$$link/metadata.yaml"
	@chmod -R u+rwX,go+rX documentation.md generated_*.go internal/metadata internal/metadatatest

# The README is among them for its status table.
checksums = find . \( -name '.?*' -o -path ./dist \) -prune \
	-o \( -name 'generated_*.go' -o -path ./documentation.md -o -path ./README.md \) -exec cksum {} + | sort

.PHONY: check-generated
check-generated: $(MDATAGEN) ## Fail if a generated file is not what `make generate` writes
	@before="$$($(checksums))"; $(MAKE) --no-print-directory generate; after="$$($(checksums))"; \
	diff <(echo "$$before") <(echo "$$after") || \
	{ echo "These files were out of date. They are current now: commit them." >&2; exit 1; }

.PHONY: bench
bench: ## Run the benchmarks (BENCH=regexp, BENCHTIME=1s)
	go test -run '^$$' -bench '$(BENCH)' -benchtime $(BENCHTIME) -benchmem ./...

.PHONY: fuzz
fuzz: ## Run each fuzz test for FUZZTIME
	@for package in $$(go list ./...); do \
		for target in $$(go test -list '^Fuzz' "$$package" | grep '^Fuzz' || true); do \
			echo "$$package $$target"; \
			go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) "$$package"; \
		done; \
	done

.PHONY: clean
clean: ## Remove what was built, the tools included
	rm -rf dist .tools

# The collector. Its sources are generated when the manifest or this module's
# requirements change, and compiled when the code does.
dist/otelcol: dist/components.go $(SOURCES)
	GOWORK=off $(BUILDER) --config builder-config.yaml --skip-generate --skip-get-modules
	@touch $@

dist/components.go: builder-config.yaml go.mod $(BUILDER)
	GOWORK=off $(BUILDER) --config builder-config.yaml --skip-compilation

# The tools. The linter's many requirements would clash with the others', so it
# has a module of its own.
$(BUILDER) $(MDATAGEN): internal/tools/go.mod internal/tools/go.sum
	cd internal/tools && GOWORK=off go build -o "$(CURDIR)/.tools/" tool
	@touch $(BUILDER) $(MDATAGEN)

$(GOLANGCI_LINT): internal/tools/lint/go.mod internal/tools/lint/go.sum
	cd internal/tools/lint && GOWORK=off go build -o "$(CURDIR)/.tools/" tool
	@touch $@
