GO       ?= go
SEEDS    ?= 20000
FUZZTIME ?= 60s
LINT     := $(GO) tool -modfile=tools/go.mod golangci-lint
# the packages with goroutines
RACY     := ./internal/engine/... ./internal/journal/... ./internal/source/... ./internal/sim/wire/... ./internal/sim/loadtest/... ./internal/agent/... ./internal/agentcli/... ./internal/cloud/collector/...

.PHONY: help build zip packages test race dashboards dynamodb zabbix lint sim fuzz plants mutants storm agent bench answers spot scaling demos iam nightly

help: ## show this
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile

build: ## build bin/ebb and bin/ebb-agent, from what "go run" has compiled already
	$(GO) build -o bin/ ./cmd/...

zip: ## dist/ebb-lambda-arm64.zip and -amd64.zip, the code of the Lambda function
	@for arch in arm64 amd64; do \
		CGO_ENABLED=0 GOOS=linux GOARCH=$$arch $(GO) build -trimpath -ldflags "-s -w" -o dist/ebb-linux-$$arch ./cmd/ebb && \
		$(GO) run ./deploy/zip dist/ebb-linux-$$arch dist/ebb-lambda-$$arch.zip && ls -l dist/ebb-lambda-$$arch.zip || exit 1; \
	done

packages: ## dist/ebb-agent for both architectures with deb and rpm, checked; VERSION=0.0.0
	VERSION=$(VERSION) bash test/packages.sh

test: ## go vet and all tests, with 1,000 simulated runs
	$(GO) vet -tags long,dynamodb,zabbix ./...
	$(GO) test ./...

race: ## the packages with goroutines under the race detector; needs a C compiler
	CGO_ENABLED=1 $(GO) test -race $(RACY)

dynamodb: ## the journal in DynamoDB against DynamoDB Local; needs Java 17 and Maven
	bash test/dynamodb/run.sh $(GO) test -count=1 -tags dynamodb ./internal/journal ./internal/journal/dynamodb ./internal/cli ./deploy

zabbix: ## the step "zabbix" against Debian's Zabbix 6.0 with PostgreSQL, all on loopback; installs them; needs root
	bash test/zabbix.sh

dashboards: ## the dashboards and the lines for CloudWatch, as Grafana, Prometheus and CloudWatch read them
	$(GO) -C test/dashboards vet -mod=mod ./... # its go.mod follows Ebb's
	$(GO) -C test/dashboards test -mod=mod ./...

lint: ## golangci-lint; the first time it is built, which takes some minutes
	$(LINT) run

sim: ## SEEDS=20000 simulated runs with faults, every invariant checked on each; about 17 minutes on two cores
	$(GO) test ./internal/sim/story -run '^TestSeeds$$' -count=1 -timeout=0 -v -seeds=$(SEEDS)

fuzz: ## every fuzz target for FUZZTIME=60s
	@grep -rl --include='*_test.go' '^func Fuzz' internal | sort | while read -r file; do \
		for target in $$(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\).*/\1/p' "$$file"); do \
			echo "$$file $$target"; \
			$(GO) test "./$$(dirname "$$file")" -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) || exit 1; \
		done; \
	done

plants: ## plant known bugs in a copy of the tree, one at a time, and see the seeds or a named test find each
	python3 test/plants.py

mutants: ## change the code of PACKAGES="lease drain" (all: none named) in thousands of small ways, and count what the tests find; needs Java 17 and Maven
	bash test/dynamodb/run.sh bash test/long.sh mutate $(PACKAGES)

storm: ## Ebb killed while hosts drain: 5 runs each of one serve, two on one journal, three on DynamoDB Local, and the function; and its journal broken
	bash test/long.sh storm -runs 5
	bash test/long.sh storm -runs 5 -processes 2
	bash test/dynamodb/run.sh bash test/long.sh storm -runs 5 -shape lambda
	bash test/dynamodb/run.sh bash test/long.sh storm -runs 5 -journal dynamodb
	for fault in poison large garbage away full readonly; do bash test/long.sh storm -fault $$fault || exit 1; done
	bash test/dynamodb/run.sh bash test/long.sh storm -fault away -journal dynamodb -processes 2

agent: ## what ebb-agent costs and how fast it is: writes docs/agent.md, in an hour or more
	bash test/agent.sh

bench: ## what a drain costs: writes docs/cost.md, in about half an hour; see bash test/long.sh bench -help
	bash test/long.sh bench -o docs/cost.md

answers: ## what ebb why, plan and doctor cost in clusters of ten to ten thousand hosts: writes docs/answers.md, in some minutes
	bash test/long.sh answers -o docs/answers.md

spot: ## what Fargate Spot costs in requests, with Ebb and without, computed and over real connections: writes docs/spot.md, in about ten minutes
	bash test/long.sh spot -o docs/spot.md

scaling: ## one service under synthetic loads with one policy of scaling after another: writes docs/scaling.md and its pictures, in two minutes
	bash test/long.sh scaling -o docs/scaling.md

demos: ## what ebb demo shows at 80 and 120 columns: writes docs/demo.md, in about a quarter of an hour
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/ ./cmd/ebb
	python3 test/demos.py -o docs/demo.md bin/ebb

iam: ## write the table of calls that the IAM policies are made of, from what simulated runs record
	$(GO) test ./internal/iam -run '^TestCalls$$' -count=1 -write

# Of this the seeds take three hours on two cores (each twice, 50 ms of a core each time) and the fuzzing ten minutes a target.
nightly: ## what takes too long for each change: a night on two cores
	$(MAKE) race
	$(MAKE) sim SEEDS=200000
	$(GO) test ./internal/sim/story -run '^TestPromises$$' -count=1 -timeout=60m -v -promises=10000
	$(GO) test ./internal/diagnose ./internal/cli -run 'ByADenial$$' -count=1 -timeout=60m -everyrequest
	$(GO) test ./internal/sim/story -run '^TestWhyDuringHealthyDrains$$' -count=1 -timeout=120m -v -why=1 -drains=1000
	$(MAKE) plants
	$(MAKE) fuzz FUZZTIME=10m
	$(MAKE) mutants
