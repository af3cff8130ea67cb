# make demo and make test are all there is to know; both work on a fresh clone.

.PHONY: all build demo test lint tools clean

all: build

build: ## both binaries, into bin/
	@bash scripts/build.sh bin

demo: build ## plan and apply examples/quickstart on an emulated PlanetScale; needs Go only
	@bash scripts/demo.sh

test: ## everything that CI runs: the linters, then the tests with the race detector
	@bash scripts/test.sh

lint: ## gofmt, go vet, staticcheck
	@bash scripts/lint.sh

tools: ## what the tests need besides Go, into .tools/
	@bash scripts/tools.sh

clean: ## what the other targets made
	rm -rf bin .tools examples/*/.pmig examples/*/node_modules
