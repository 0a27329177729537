# Everything a developer needs; a new machine has Go, gcc, Node and npm, the rest is fetched by `make test` itself.
SHELL       := bash
.SHELLFLAGS := -eo pipefail -c
GO          ?= go
STATICCHECK  = honnef.co/go/tools/cmd/staticcheck@v0.8.2
FUZZTIME    ?= 3s
CHAOS       ?= 20m

.PHONY: run demo test check bench chaos chaos-cluster fmt fuzz redis node

run: ## serve examples/quickstart
	$(GO) run . serve -c examples/quickstart/switchyard.yaml

demo: ## serve with sample events, then stay up
	$(GO) run . demo

test: check redis node ## vet, lint, all tests with the race detector, a short fuzz of every decoder
	$(GO) test -race -timeout 10m -skip '^TestChaos' ./...
	$(GO) test -timeout 10m -run '^TestChaos' . # apart: a storm needs the cores, and its processes are built without -race
	@$(MAKE) --no-print-directory fuzz

check: ## formatting, vet and staticcheck
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); if [ -n "$$unformatted" ]; then echo "not gofmt-ed:" $$unformatted; exit 1; fi
	$(GO) vet ./...
	$(GO) vet -tags chaos ./...
	$(GO) run $(STATICCHECK) ./...

fmt: ## format the code
	gofmt -w $$(git ls-files '*.go')

# Each fuzz target found in the tree, one after the other: go test takes one at a time. On a busy machine it calls it a
# failure, "context deadline exceeded", when the time is up while an input is being run; a finding names its input.
fuzz:
	@log=$$(mktemp); trap 'rm -f "$$log"' EXIT; grep -rn --include='*_test.go' -E '^func Fuzz[A-Za-z0-9]+' . | sed -E 's|^\./?([^:]*)/[^/:]+:[0-9]+:func (Fuzz[A-Za-z0-9]+).*|\2 \1|' | sort -u | \
	while read -r target dir; do \
		echo "fuzz $$dir $$target"; \
		$(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 1x ./$$dir 2>&1 | tee "$$log" && continue; \
		grep -q 'context deadline exceeded' "$$log" && ! grep -q 'Failing input' "$$log" && echo "the time was up in the middle of a run" && continue; \
		exit 1; \
	done

bench: redis ## tables of one run: ingest against a no-op handler, decode, match, act; matching by the number of rules; what an event takes of Redis
	SWITCHYARD_BENCH=1 $(GO) test -count 1 -timeout 20m -p 1 -run TestBenchTable -v . ./rules ./engine/redislog | grep -vE '^(===|---|PASS|ok)'

# SEED=7 repeats the faults of the storm that said so, CHAOS=5m is a shorter one.
chaos: redis ## kills, stops and cuts over three processes and their Redis, and an oracle that knows what must come of it
	SWITCHYARD_CHAOS=$(CHAOS) SWITCHYARD_CHAOS_SEED=$(SEED) $(GO) test -count 1 -timeout 0 -run '^TestChaos$$' -v .

chaos-cluster: redis ## the same over a Redis Cluster whose masters die, with ack: replicated
	SWITCHYARD_CHAOS=$(CHAOS) SWITCHYARD_CHAOS_SEED=$(SEED) $(GO) test -count 1 -timeout 0 -run '^TestChaosCluster$$' -v .

# The tests run against a real redis-server besides the embedded one.
redis:
	@command -v redis-server >/dev/null || { \
		echo "installing redis-server"; \
		sudo=; [ "$$(id -u)" = 0 ] || sudo=sudo; \
		$$sudo apt-get update -qq && $$sudo apt-get install -y -qq redis-server >/dev/null; \
	} || { echo "redis-server is missing and could not be installed: install it by hand"; exit 1; }

# The vendors' own SDKs for Node are clients in the tests.
node:
	@command -v npm >/dev/null || { echo "Node and npm are missing, with which the vendors' SDKs are tried: install them"; exit 1; }
