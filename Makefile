# `make` lists the targets. All that is needed is Go (and Python 3 for the targets
# named after it): the tools are pinned in internal/tools, built or installed on
# first use, and kept in .tools.

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
# Tests that feed what users and clients write to what reads it; they run for longer.
FUZZ_INPUT := FuzzParse FuzzWhere FuzzTapRequest FuzzConfig FuzzHTTP1 FuzzHTTP2Frames FuzzGRPCMessages FuzzWebSocketFrames
FUZZTIME_INPUT ?= 60s

BUILDER := .tools/builder
MDATAGEN := .tools/mdatagen
GOLANGCI_LINT := .tools/golangci-lint
GOVULNCHECK := .tools/govulncheck
PROTOIMAGE := .tools/protoimage
PROTOC_GEN_GO := .tools/protoc-gen-go
PROTOC_GEN_GO_GRPC := .tools/protoc-gen-go-grpc
BUF := .tools/buf
PYTHON_INSTALLED := .tools/python/installed

# The wire protocol; compiled, as buf and protoc read it; and that of the last release.
PROTOS := $(wildcard proto/remotetap/*/*.proto)
WIRE := dist/wire.binpb
RELEASED_WIRE := proto/released.binpb

# $(call in-each-module,COMMAND) runs the command in these and in the tools' module,
# which is in no workspace, and fails if one fails.
in-each-module = failed=; for module in $(MODULES) internal/tools; do \
	(cd "$$module"; [[ $$module != internal/tools ]] || export GOWORK=off; $(1)) || failed=yes; \
	done; test -z "$$failed"

# What the collector is compiled from: Go code, and files beside it that it may embed.
SOURCES := $(shell find . \( -name '.?*' -o -name testdata -o -path ./dist -o -path ./e2e -o -path ./cmd -o -path ./bench -o -path ./internal/tools \) -prune \
	-o -type f \( -name '*.go' -o -path './internal/*' \) ! -name '*_test.go' -print)

# What the command is compiled from.
COMMAND_SOURCES := cmd/remotetap/go.mod cmd/remotetap/go.work go.mod $(shell find cmd/remotetap tapclient internal proto -name '*.go' ! -name '*_test.go' -print)

.PHONY: help
help: ## Describe the targets
	@echo "Targets:"
	@awk -F ':.*## ' '/^[a-z][a-z-]*:.*## / { printf "  make %-23s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo "Variables: BENCH=$(BENCH) BENCHTIME=$(BENCHTIME) FUZZTIME=$(FUZZTIME) FUZZTIME_INPUT=$(FUZZTIME_INPUT) TEST_FLAGS=$(TEST_FLAGS)"

.PHONY: run
run: dist/otelcol ## Build and start a collector with telemetry to watch, and print how
	@cat examples/quickstart/watch.txt
	@stopped=; trap 'stopped=yes' INT TERM; \
	dist/otelcol --config examples/quickstart/collector.yaml || { test -n "$$stopped" && \
	echo "Stopped. (Its own receiver closes first: \"connection refused\" above means just that.)"; }

.PHONY: build
build: dist/otelcol dist/remotetap ## Build the collector described in builder-config.yaml, dist/otelcol, and the command, dist/remotetap

.PHONY: test
test: ## Run all tests: units, the seeds of the fuzz tests, end to end
	@$(call in-each-module,go test $(RACE) $(TEST_FLAGS) ./...)

.PHONY: torture
torture: ## Let hostile clients loose on a collector (Linux; it takes long), and write the table of docs/security.md
	cd e2e && go test -count=1 -timeout 120m ./torture -long -update="$(CURDIR)/docs/security.md"

.PHONY: interop
interop: dist/otelcol ## Watch a real collector with everybody's clients (needs Python; see interop/README.md)
	@command -v python3 >/dev/null || { echo "make interop needs Python 3.11 or newer: python3 is not here" >&2; exit 1; }
	@python3 -B interop

.PHONY: lint
lint: lint-proto $(GOLANGCI_LINT) ## Check the code and its formatting with the linters of .golangci.yml, and the wire protocol
	@$(call in-each-module,go vet ./... && "$(CURDIR)/$(GOLANGCI_LINT)" run ./...)

# Paths in the messages are in proto.
.PHONY: lint-proto
lint-proto: $(WIRE) $(BUF) ## Check the wire protocol by proto/buf.yaml, and that it still serves the last release's clients
	@cd proto && ../$(BUF) lint ../$(WIRE) --path remotetap
	@$(check-released)

check-released = cd proto && ../$(BUF) breaking ../$(WIRE) --against ../$(RELEASED_WIRE) --path remotetap --exclude-imports || \
	{ echo "Programs made for the last release would break: see proto/README.md." >&2; exit 1; }

.PHONY: vulncheck
vulncheck: $(GOVULNCHECK) ## Look for known vulnerabilities in what is compiled in (asks the Go project's database)
	@$(call in-each-module,"$(CURDIR)/$(GOVULNCHECK)" ./...)

# The command requires a release of the root module; before it is published, this tree stands for it.
.PHONY: tidy
tidy: ## Bring go.mod and go.sum of all modules up to date
	go mod tidy
	cd e2e && go mod tidy
	cd cmd/remotetap && go mod edit -replace=github.com/remotetap/remotetapprocessor=../.. && GOWORK=off go mod tidy; \
	go mod edit -dropreplace=github.com/remotetap/remotetapprocessor

.PHONY: fmt
fmt: $(GOLANGCI_LINT) ## Format the code
	@$(call in-each-module,"$(CURDIR)/$(GOLANGCI_LINT)" fmt ./...)

.PHONY: generate
generate: generate-metadata generate-proto generate-cli ## Write the generated files anew (from metadata.yaml, proto and the command)

.PHONY: generate-metadata
generate-metadata: $(MDATAGEN)
	@# mdatagen names packages after the directory it runs in, and a clone may
	@# have any name: run it through a link that has the package's.
	@link="$$(mktemp -d)/remotetapprocessor"; trap 'rm -r "$${link%/*}"' EXIT; \
	ln -s "$(CURDIR)" "$$link"; \
	GOWORK=off $(MDATAGEN) "$$link/metadata.yaml"
	@chmod -R u+rwX,go+rX documentation.md generated_*.go internal/metadata internal/metadatatest

.PHONY: generate-proto
generate-proto: $(WIRE) $(BUF) $(PROTOC_GEN_GO) $(PROTOC_GEN_GO_GRPC)
	@cd proto && ../$(BUF) generate

.PHONY: generate-cli
generate-cli:
	@cd cmd/remotetap && go test -run TestCommandLineDocsAreCurrent . -update >/dev/null

.PHONY: generate-python
generate-python: $(WIRE) $(PYTHON_INSTALLED) ## Write the generated Python of examples/python anew (from proto; needs Python 3)
	@.tools/python/bin/python -m grpc_tools.protoc --descriptor_set_in=$(WIRE) \
		--python_out=examples/python --pyi_out=examples/python --grpc_python_out=examples/python \
		$(PROTOS:proto/%=%)

# The README is among them for its status table.
.PHONY: check-generated
check-generated: ## Fail if a generated file is not what `make generate` writes
	+@$(call check-current,generate,-name 'generated_*.go' -o -name '*.pb.go' -o -path ./documentation.md -o -path ./README.md)

.PHONY: check-generated-python
check-generated-python: ## Fail if a generated file is not what `make generate-python` writes
	+@$(call check-current,generate-python,-name '*_pb2*.py*')

# $(call check-current,TARGET,TESTS) makes the target and fails if that changed a
# file for which these tests of find hold.
check-current = before="$$($(call checksums,$(2)))"; $(MAKE) --no-print-directory $(1); after="$$($(call checksums,$(2)))"; \
	diff <(echo "$$before") <(echo "$$after") || \
	{ echo "These files were out of date. They are current now: commit them." >&2; exit 1; }
checksums = find . \( -name '.?*' -o -name __pycache__ -o -path ./dist \) -prune -o \( $(1) \) -exec cksum {} + | sort

.PHONY: release-proto
release-proto: $(WIRE) $(BUF) ## Keep the wire protocol as the last release's, to compare with: part of a release
	@test ! -e $(RELEASED_WIRE) || ($(check-released))
	@$(BUF) build $(WIRE) --path remotetap --exclude-source-info --output $(RELEASED_WIRE)

.PHONY: bench
bench: ## Run the benchmarks (BENCH=regexp, BENCHTIME=1s)
	go test -run '^$$' -bench '$(BENCH)' -benchtime $(BENCHTIME) -benchmem ./...

.PHONY: fuzz
fuzz: ## Run each fuzz test for FUZZTIME, those that read what users and clients write for FUZZTIME_INPUT
	@for module in . cmd/remotetap; do \
		cd "$(CURDIR)/$$module"; \
		for package in $$(go list ./...); do \
			for target in $$(go test -list '^Fuzz' "$$package" | grep '^Fuzz' || true); do \
				time=$(FUZZTIME); [[ " $(FUZZ_INPUT) " != *" $$target "* ]] || time=$(FUZZTIME_INPUT); \
				echo "$$package $$target"; \
				go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $$time "$$package"; \
			done; \
		done; \
	done

# What `make fuzz` has found worth keeping is in Go's cache, which comes and goes: the small ones are kept
# beside the tests, where each run begins with them, as do the tests themselves.
.PHONY: fuzz-keep
fuzz-keep: ## Keep the smallest 32 inputs of each of FUZZ_INPUT that fuzzing has found on this machine
	@cache="$$(go env GOCACHE)/fuzz"; \
	for package in $$(go list ./...); do \
		for target in $(FUZZ_INPUT); do \
			[[ -d "$$cache/$$package/$$target" ]] || continue; \
			to="$$(go list -f '{{.Dir}}' "$$package")/testdata/fuzz/$$target"; \
			mkdir -p "$$to"; \
			(cd "$$cache/$$package/$$target"; ls -Sr | sed -n 1,32p | xargs cp -t "$$to"); \
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

dist/remotetap: $(COMMAND_SOURCES)
	cd cmd/remotetap && CGO_ENABLED=0 go build -trimpath -ldflags="-s -w" -o "$(CURDIR)/$@" .

dist/components.go: builder-config.yaml go.mod $(BUILDER)
	GOWORK=off $(BUILDER) --config builder-config.yaml --skip-compilation

$(WIRE): $(PROTOS) $(PROTOIMAGE)
	@mkdir -p $(@D)
	$(PROTOIMAGE) -o $@ proto

# The tools. The many requirements of the linter and of buf would clash with the
# others', so these have modules of their own.
GO_TOOLS := $(BUILDER) $(MDATAGEN) $(PROTOIMAGE) $(PROTOC_GEN_GO) $(PROTOC_GEN_GO_GRPC)
$(GO_TOOLS): internal/tools/go.mod internal/tools/go.sum $(wildcard internal/tools/protoimage/*.go)
	cd internal/tools && GOWORK=off go build -o "$(CURDIR)/.tools/" tool ./protoimage
	@touch $(GO_TOOLS)

$(GOLANGCI_LINT): internal/tools/lint/go.mod internal/tools/lint/go.sum
	cd internal/tools/lint && GOWORK=off go build -o "$(CURDIR)/.tools/" tool
	@touch $@

$(GOVULNCHECK): internal/tools/vuln/go.mod internal/tools/vuln/go.sum
	cd internal/tools/vuln && GOWORK=off go build -o "$(CURDIR)/.tools/" tool
	@touch $@

$(BUF): internal/tools/buf/go.mod internal/tools/buf/go.sum
	cd internal/tools/buf && GOWORK=off go build -o "$(CURDIR)/.tools/" tool
	@touch $@

$(PYTHON_INSTALLED): internal/tools/python/requirements.txt
	rm -rf .tools/python
	python3 -m venv .tools/python
	.tools/python/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@
