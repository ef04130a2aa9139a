# A fresh machine needs Python >= 3.10 and make; every target sets up the rest on its first run.
PYTHON ?= python3
VENV ?= .venv
# The pair this version is tested with. A machine without a GPU can take the small build instead:
#   make test TORCH="torch torchvision --index-url https://download.pytorch.org/whl/cpu"
TORCH ?= torch==2.14.1 torchvision==0.29.1

BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

# Where `make bench` leaves its JSON files.
BENCH ?= runs/bench
MEASURE := $(BIN)/python benchmarks

.PHONY: demo test lint bench

demo: $(INSTALLED)
	$(BIN)/posegraph demo

test: lint
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy posegraph cli $(wildcard benchmarks/*.py)

# Every benchmark in a short form: that it runs, and about what it says. Figures to quote take the commands of
# benchmarks/README.md. stream_accuracy.py needs a run and gets one that has hardly learnt: its scores mean nothing.
bench: $(INSTALLED)
	mkdir -p $(BENCH)
	$(BIN)/posegraph bench ncstr-s --steps 10 --warmup 2 --paper --json $(BENCH)/clip.json
	$(BIN)/posegraph bench ncstr-s --steps 10 --warmup 2 --mode stream --people 4 --batch 4 --json $(BENCH)/stream_mode.json
	$(BIN)/posegraph bench ncstr-s --steps 3 --warmup 1 --mode train --batch 4 --json $(BENCH)/train.json
	$(MEASURE)/head.py --presets ncstr-s --repeats 3 --people 1 8 16 32 --json $(BENCH)/head.json
	$(MEASURE)/stream.py --sizes s --people 1 --pairs 5 --json $(BENCH)/stream.json
	$(MEASURE)/export.py ncstr-tiny --kinds onnx:fp32 onnx:int8 --people 1 --repeats 3 --json $(BENCH)/export.json
	$(MEASURE)/stream_long.py --frames 1110 --tracks 37 --json $(BENCH)/stream_long.json
	$(MEASURE)/synthetic.py --sequences 4 --frames 10 --json $(BENCH)/synthetic.json
	$(MEASURE)/evaluator.py --frames 5000 --files 10 --json $(BENCH)/evaluator.json
	$(MEASURE)/index.py --people 120000 --json $(BENCH)/index.json
	$(MEASURE)/loader.py --sequences 2 --frames 8 --runs 2 --json $(BENCH)/loader.json
	$(MEASURE)/memory.py --presets ncstr-s --json $(BENCH)/memory.json
	$(MEASURE)/feature_cache.py --presets ncstr-s --clips 32 --batch-size 8 --epochs 1 --json $(BENCH)/feature_cache.json
	$(MEASURE)/kill.py --kills 1 --epochs 2 --json $(BENCH)/kill.json
	$(BIN)/posegraph data synth $(BENCH)/synth --sequences 3 --frames 8 --size 320x240
	rm -rf $(BENCH)/run
	$(BIN)/posegraph train ncstr-tiny -o data.train=$(BENCH)/synth/annotations/train -o training.max_steps=5 --out $(BENCH)/run
	$(MEASURE)/stream_accuracy.py --model $(BENCH)/run --data $(BENCH)/synth/annotations/val --settings hysteresis=1 \
		--json $(BENCH)/stream_accuracy.json

# torch goes first: asked for later, through a dependency, pip would take whatever build is newest.
$(INSTALLED): pyproject.toml setup.py
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install $(TORCH)
	$(BIN)/python -m pip install -e '.[dev]'
	touch $@
