# The developer's loop. Thin wrappers around scripts/ and the presets of CMakePresets.json.
PYTHON := /usr/bin/python3
FUZZ_SECONDS ?= 60

.DEFAULT_GOAL := help
.PHONY: help install engine build debug test full steady unit e2e format lint tidy asan tsan gcc fuzz bench bench-acp bench-egress coverage clean

help: ## What there is
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

install: ## The Debian packages that are missing
	@scripts/install.sh

build: ## The release: build/release/acp-relay, build/release/acp-demo-agent
	@scripts/build.sh release

debug: ## Everything, for a debugger: build/debug
	@scripts/build.sh debug

test: ## Before every push: lints, unit tests, end-to-end tests, on the release
	@scripts/test.sh

full: ## Also GCC, the sanitizers, the fuzz targets, Podman and a short benchmark
	@scripts/test.sh full

steady: ## The tests ROUNDS times (10) on a busy machine, to find unsteady ones
	@scripts/test.sh steady $(or $(ROUNDS),10)

unit: debug ## Unit and integration tests; one of them: make unit TESTS=LineSplitter
	@ctest --test-dir build/debug -j "$$(nproc)" --output-on-failure --no-tests=error $(if $(TESTS),-R '$(TESTS)')

engine: ## The DOCKER_HOST of a Docker Engine that answers; starts a private one where none does
	@scripts/engine.sh ensure

e2e: build ## End-to-end tests against the release; some of them: make e2e TESTS=permission
	@export "$$(scripts/engine.sh ensure)"; ACP_RELAY_BIN='$(CURDIR)/build/release/acp-relay' \
	  ACP_DEMO_AGENT='$(CURDIR)/build/release/acp-demo-agent' \
	  $(PYTHON) -m pytest -q -p no:cacheprovider tests/e2e $(if $(TESTS),-k '$(TESTS)')

format: ## Formats every C++ file
	@tools/format.sh

lint: ## Layers, includes, coroutine forms, texts, format, shell scripts
	@$(PYTHON) tools/check_layers.py
	@$(PYTHON) tools/check_includes.py
	@$(PYTHON) tools/lint_coroutines.py
	@$(PYTHON) tools/check_text.py
	@tools/format.sh --check
	@tools/check_shell.sh

tidy: debug ## clang-tidy over src and agents (minutes)
	@run-clang-tidy-16 -quiet -p build/debug '$(CURDIR)/(src|agents)/.*\.cpp'

asan: ## Unit tests under AddressSanitizer and UBSan
	@scripts/build.sh asan
	@ctest --test-dir build/asan -j "$$(nproc)" --output-on-failure --no-tests=error

tsan: ## Unit tests under ThreadSanitizer
	@scripts/build.sh tsan
	@setarch -R ctest --test-dir build/tsan -j "$$(nproc)" --output-on-failure --no-tests=error

gcc: ## Unit tests with the second compiler
	@scripts/build.sh gcc
	@ctest --test-dir build/gcc -j "$$(nproc)" --output-on-failure --no-tests=error

fuzz: ## Every fuzz target for FUZZ_SECONDS (60)
	@scripts/build.sh fuzz
	@tools/fuzz.sh build/fuzz $(FUZZ_SECONDS)

bench: ## The benchmarks, with the floor in the same run
	@scripts/build.sh bench
	@$(PYTHON) bench/run.py

bench-acp: ## /acp with the official SDK's client, beside the SDK's own server
	@scripts/build.sh bench
	@scripts/install.sh test
	@$(PYTHON) bench/acp_sdk.py

bench-egress: ## An agent's way to its upstream, beside a bare TLS forwarder
	@scripts/build.sh bench
	@$(PYTHON) bench/egress.py

coverage: ## Lines and branches reached by the unit tests: build/coverage/report.txt
	@scripts/build.sh coverage
	@ctest --test-dir build/coverage -j "$$(nproc)" --output-on-failure --no-tests=error
	@gcovr --root . --object-directory build/coverage --filter src/ --filter agents/ --exclude '.*_test\.cpp' \
	  --txt build/coverage/report.txt --print-summary

clean: ## Removes build/
	@rm -rf build
