.DEFAULT_GOAL := help
SHELL := /bin/bash
CARGO ?= cargo
TARGET := $(or $(CARGO_TARGET_DIR),target)/release

GPU := $(TARGET)/gpu

.PHONY: help up down status test check check-chart test-k8s test-k8s-scale test-observability image bench load chaos bench-counter bench-tracker \
	audit bench-detector bench-sizes \
	bench-extractor bench-picture bench-inference long-cameras gpu-bin gpu-checks test-gpu bench-gpu

help: ## This list
	@grep -E '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | column -t -s $$'\t'

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

check-chart: ## Chart, cluster documents, alerts and dashboards, without a cluster
	@scripts/check-chart.sh

test-k8s: ## mineseal on a real Kubernetes on this machine (root): install, upgrade, kill, drain, lose a node; ROUNDS=base,kill PROGRAMS=built
	@scripts/setup.sh cluster
	$(if $(PROGRAMS),,$(CARGO) build --release --locked --workspace --bins)
	@python3 scripts/k8s/live/test.py --programs $(or $(PROGRAMS),$(TARGET)) $(if $(ROUNDS),--rounds $(ROUNDS))

test-k8s-scale: ## There too (root): detectors by the lag of Kafka with a real KEDA, and 600 simulated pods; ROUNDS=lag,simulated
	@scripts/setup.sh cluster
	$(if $(PROGRAMS),,$(CARGO) build --release --locked --workspace --bins)
	@python3 scripts/k8s/live/scale.py --programs $(or $(PROGRAMS),$(TARGET)) $(if $(ROUNDS),--rounds $(ROUNDS))

test-observability: ## A real Prometheus scrapes every service, and traces reach a real OpenTelemetry Collector
	@scripts/setup.sh test
	$(CARGO) build --release --locked --workspace --bins --tests
	OBSERVABILITY_TOOLS="$$(scripts/observability/tools.sh)" $(TARGET)/mineseal-test-services -- \
		$(CARGO) test --release --locked --workspace --test observability -- --ignored --nocapture

image: ## One OCI image of all services, with its bill of materials, without a container daemon
	$(CARGO) build --release --locked --bins
	scripts/k8s/image.py --programs $(TARGET) --out $(TARGET)/mineseal-image.tar

bench: ## Micro-benches of the pure cores
	$(CARGO) bench --locked -p mineseal-benches

load: ## Drive MINES=n mines' recorded frames through the running pipeline
	$(CARGO) build --release --locked --bins
	$(TARGET)/mineseal-test-services -- $(TARGET)/mineseal-load --mines $(or $(MINES),3)

chaos: ## Kill, stop and cut everything while people cross: MINUTES=10 CROSSINGS=1000000 RATE=2000 BROKERS=3 SEED=n
	@scripts/setup.sh test
	CHAOS_MINUTES=$(MINUTES) CHAOS_CROSSINGS=$(CROSSINGS) CHAOS_RATE=$(RATE) CHAOS_BROKERS=$(BROKERS) CHAOS_SEED=$(SEED) \
		$(CARGO) test --release --locked -p mineseal-counter --test chaos -- --ignored --exact long_run --nocapture

bench-counter: ## Frames a second, added latency and snapshots of the counter beside its Kafka
	@scripts/setup.sh test
	$(CARGO) build --release --locked --workspace --bin mineseal-test-services
	$(TARGET)/mineseal-test-services -- $(CARGO) test --release --locked --workspace --test throughput -- \
		--ignored --nocapture --test-threads 1

bench-tracker: ## The tracker beside PyPI's `trackers`: accuracy on given detections, speed, memory
	$(CARGO) build --release --locked --bin mineseal
	@benches/tracking/run.sh

bench-extractor: ## Processor time, bytes and cameras of a core, beside FFmpeg's own command
	@scripts/setup.sh test
	$(CARGO) build --release --locked -p mineseal-embedded --bins
	$(CARGO) build --release --locked -p mineseal-frame-extractor --examples
	$(TARGET)/mineseal-test-services -- $(TARGET)/examples/bench_extractor

bench-picture: ## Faults of the picture: detection rates and false alarms on rendered cameras and real clips
	$(CARGO) run --release --locked -p mineseal-picture --example picture_table -- $(PARTS)

long-cameras: ## 64 live cameras for ten minutes, a third of them at fault in turn: ROUNDS=45
	@scripts/setup.sh test
	$(CARGO) build --release --locked -p mineseal-embedded --bins
	LONG_CAMERAS_ROUNDS=$(or $(ROUNDS),45) $(TARGET)/mineseal-test-services -- \
		$(CARGO) test --release --locked -p mineseal-frame-extractor --test neighbours -- \
		--ignored --nocapture

audit: ## Errors of the count in 100 crossings, with their confidence intervals
	$(CARGO) build --release --locked --workspace --example audit
	$(TARGET)/examples/audit --date $$(date -u +%F) --out config/count-error.json

bench-detector: ## The detector beside ONNX Runtime and OpenVINO, one thread each, in turns
	@scripts/bench-detector.sh

bench-sizes: ## Every size of YOLOX from Nano to X, with random weights, on one thread, in turns: ROUNDS=n
	@$(CARGO) run --release --locked -p mineseal-detector --example time_sizes -- $(ROUNDS)

bench-inference: ## The service inference from Kafka to Kafka: MINESEAL_PICTURES=folder of JPEG files DEVICE=cpu WORKERS=0 BATCH=8 FRAMES=4000
	$(CARGO) build --release --locked --bins
	MINESEAL_TEST_CLICKHOUSE=none $(TARGET)/mineseal-test-services -- $(TARGET)/mineseal-inference-load --program $(or $(PROGRAM),$(TARGET)/mineseal-inference) \
	  --pictures $(or $(MINESEAL_PICTURES),$(error MINESEAL_PICTURES has to name a folder of JPEG files)) --device $(or $(DEVICE),cpu) --workers $(or $(WORKERS),0) --batch $(or $(BATCH),8) --frames $(or $(FRAMES),4000)

gpu-bin: ## The command and the detector's service with CUDA, built without CUDA or a device; they need only the driver
	scripts/gpu/build.sh $(GPU) bin
	@scripts/gpu/check-bin.sh $(GPU)

gpu-checks: ## What `test-gpu` and `bench-gpu` run, for a machine without Rust: scripts/gpu/test.sh FOLDER there
	scripts/gpu/build.sh $(GPU) checks

test-gpu: ## The kernels and the net on this machine's NVIDIA device, against the processor
	@scripts/gpu/test.sh

bench-gpu: ## Images a second on this machine's NVIDIA device beside PyTorch; MINESEAL_PICTURES=folder of JPEG files
	@scripts/gpu/bench.sh
