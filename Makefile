# Everything that one does with the sources, from a bare machine: Python 3.11 with pip, and make.
# The environments live under .venvs/ and are rebuilt only when what they are made from changes.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
MAKEFLAGS += --no-print-directory --no-builtin-rules

# Hubs and commands are started thousands of times by the tests: each would compile all that it imports anew.
export PYTHONDONTWRITEBYTECODE :=

PYTHON ?= $(shell command -v python3.11 || command -v python3)
DEV := .venvs/dev/bin
# Tests run in one process more than there are processors, as some always wait for others to start and end, and
# in no more than five; ARGS="-n 0" for a debugger.
WORKERS ?= $(shell n=$$(nproc 2>/dev/null || echo 2); echo $$(((n < 4 ? n : 4) + 1)))
SIDE_BY_SIDE := -n $(WORKERS) --dist worksteal
SHARDS := .cache/all-tests
LOCKS := base build uv dev demo demo-model client-1.19 client-1 torch scan-peers delta-peers log-judge proof-judge bom-judge fuzz

FUZZ_SECONDS ?= 600
FUZZ_TARGETS ?= pickle torch joblib zip archive safetensors gguf template json yaml hdf5 keras onnx tensorflow \
    tflite python notebook r msgpack ubjson settings program caffe objects parts xml anything

# What `make test` leaves to `make ci` and `make campaign`.
QUICK := not (browser or campaign or clients or slow or torch)
HERE := not (browser or campaign or torch)

# The modules that set a marker: the others need not be read, which takes longer than to find these.
marked = $$(grep -rlE --include='test_*.py' 'pytest\.mark\.$(1)\b' tests)

# A selection without a test yet is said and is no failure; any other exit of pytest is.
define some
$(1) || { code=$$?; [ $$code -eq 5 ] && echo "(no test of this kind yet)"; }
endef

EVERY := "compare=/compare?model=lab/heron-field&model=lab/heron-base" \
	table=/datasets/lab/marsh-notes/blob/main/data/train.parquet header=/lab/heron-field/blob/main/model.safetensors \
	organisation=/organizations/lab/settings admin-user=/settings/hub/users/bob
PICTURED := model=/commons/all-MiniLM-L6-v2 files=/commons/all-MiniLM-L6-v2/tree/main \
    scan=/otto/tiny-sentiment/scan/main lineage=/otto/wonder-embedder/lineage \
    signatures=/werkstatt/signed-probe/signatures/main \
    'compare=/compare?model=commons/all-MiniLM-L6-v2&model=werkstatt/minilm-repair-desk&model=otto/wonder-embedder'

.PHONY: help demo serve test check format ci sample torch browser all-tests campaign fuzz fuzz-codecs screenshots bench lock clean

help:  ## Say what there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

demo: .venvs/demo/.stamp  ## Start a hub, publish a model and derivatives, say what it proved (ONESHOT=1: check and exit)
	@.venvs/demo/bin/python -m tools.demo $(if $(filter-out 0,$(ONESHOT)),--oneshot) $(if $(filter-out 0,$(FRESH)),--fresh)

serve: .venvs/demo/.stamp  ## Start a hub on http://127.0.0.1:8080 with its data in ./allmende-data
	@.venvs/demo/bin/allmende serve

test: .venvs/dev/.stamp  ## Unit, integration and contract tests with the stock client
	@$(DEV)/python -m pytest tests/unit tests/integration tests/contract $(SIDE_BY_SIDE) -m "$(QUICK)" $(ARGS)

check: .venvs/dev/.stamp  ## Format, lint, types and import contracts
	$(DEV)/ruff format --check .
	$(DEV)/ruff check .
	$(DEV)/mypy
	$(DEV)/lint-imports --cache-dir .cache/imports

format: .venvs/dev/.stamp  ## Put the sources into form
	$(DEV)/ruff format .
	$(DEV)/ruff check --fix .

ci: check test sample  ## All of the above and a bounded sample of everything else
	@# Torch and the demonstration compute in one process, and the pages' tests wait for browsers: side by side.
	@mkdir -p .cache; { $(MAKE) torch && $(MAKE) demo ONESHOT=1; } >.cache/beside.txt 2>&1 & beside=$$!; \
	    code=0; $(MAKE) browser || code=$$?; wait $$beside || code=$$?; cat .cache/beside.txt; exit $$code

sample: .venvs/dev/.stamp .venvs/client-1.19/.stamp .venvs/client-1/.stamp .venvs/scan-peers/.stamp .venvs/log-judge/.stamp .venvs/proof-judge/.stamp .venvs/bom-judge/.stamp  ## System and attack tests, slow ones, older clients
	@$(DEV)/python -m pytest tests/system tests/attack $(SIDE_BY_SIDE) -m "$(HERE)"
	@$(call some,$(DEV)/python -m pytest tests/unit tests/integration tests/contract $(SIDE_BY_SIDE) -m "(clients or slow) and $(HERE)")

torch:  ## The scenarios with transformers, datasets and others (needs a CPU build of torch, see tools/environment.py)
	@if $(MAKE) .venvs/torch/.stamp; then \
	    $(call some,.venvs/torch/bin/python -m pytest $(call marked,torch) -m "torch and not campaign"); \
	elif [ -n "$${CI:-}" ]; then exit 1; \
	else echo "NOT TESTED HERE: the scenarios that need torch" >&2; fi

browser: .venvs/dev/.stamp  ## The pages in a real browser
	@$(call some,$(DEV)/python -m pytest $(call marked,browser) -n $(WORKERS) --dist loadfile -m "browser and not campaign and not torch")

# One stamp for each part: after a failure or a stop, the next run goes on with the first part not passed.
all-tests: $(addprefix $(SHARDS)/,check unit integration contract system attack torch browser campaign demo)  ## Everything; a repeat goes on where the last one stopped
	@echo "all parts passed; make clean forgets it"

$(SHARDS)/check:
	@$(MAKE) check && mkdir -p $(@D) && touch $@

$(SHARDS)/unit $(SHARDS)/integration $(SHARDS)/contract $(SHARDS)/system $(SHARDS)/attack: .venvs/dev/.stamp .venvs/client-1.19/.stamp .venvs/client-1/.stamp .venvs/scan-peers/.stamp .venvs/log-judge/.stamp .venvs/proof-judge/.stamp .venvs/bom-judge/.stamp
	@$(call some,$(DEV)/python -m pytest tests/$(@F) $(SIDE_BY_SIDE) -m "$(HERE)")
	@mkdir -p $(@D) && touch $@

$(SHARDS)/torch $(SHARDS)/browser $(SHARDS)/campaign:
	@$(MAKE) $(@F) && mkdir -p $(@D) && touch $@

$(SHARDS)/demo:
	@$(MAKE) demo ONESHOT=1 && mkdir -p $(@D) && touch $@

campaign: .venvs/dev/.stamp fuzz fuzz-codecs  ## The long rounds, run once; their figures go into docs/measurements.md
	@$(call some,CAMPAIGN=1 $(DEV)/python -m pytest tests -m campaign --timeout 0 $(ARGS))

# Every target is run even where one finds something; then it is said in the end.
fuzz: .venvs/fuzz/.stamp  ## Fuzz the scanner's readers, each for FUZZ_SECONDS (600); FUZZ_TARGETS chooses
	@failed=; for target in $(FUZZ_TARGETS); do \
	    .venvs/fuzz/bin/python -m tools.fuzz_scan $$target --seconds $(FUZZ_SECONDS) || failed="$$failed $$target"; \
	done; [ -z "$$failed" ] || { echo "broken:$$failed; see .cache/fuzz" >&2; exit 1; }

fuzz-codecs:  ## Fuzz the coder of blocks in C for FUZZ_SECONDS, under the compiler's sanitizers
	@mkdir -p .cache/fuzz
	@$(CC) -g -O1 -fsanitize=address,undefined -fno-sanitize-recover=all -Wall -Wextra \
	    tools/fuzz_codecs/fuzz.c -o .cache/fuzz/codecs
	@.cache/fuzz/codecs $(FUZZ_SECONDS)

screenshots: .venvs/dev/.stamp  ## Take the pictures of the documentation anew, of what make demo left in demo-data
	@test -d demo-data/hub || { echo "make demo first, and end it" >&2; exit 1; }
	@$(DEV)/python -m tools.screenshots --data demo-data/hub docs/images --scheme light \
	    --model werkstatt/minilm-repair-desk --also $(PICTURED) \
	    --only home list model files scan lineage layers licence record signatures documents log commons compare
	@$(DEV)/python -m tools.screenshots --data demo-data/hub docs/images --scheme dark \
	    --model commons/all-MiniLM-L6-v2 --only model commons
	@$(DEV)/python -m tools.screenshots --examples docs/images --scheme light \
	    --also table=/datasets/lab/marsh-notes/blob/main/data/train.parquet --only table
	@$(DEV)/python -m tools.screenshots --examples docs/images --scheme light --on phone \
	    --model lab/heron-field --only model
	@$(DEV)/python -m tools.screenshots --examples docs/images/pages --scheme light --small --signed-in alice \
	    --model lab/heron-field --dataset lab/marsh-notes --also $(EVERY)
	@$(DEV)/python -m tools.screenshots --examples docs/images/pages --scheme light --small --only login join

bench: .venvs/dev/.stamp  ## Measure against nginx and write JSON
	@$(DEV)/python -m bench.run $(ARGS)

lock: ## Pin anew, with hashes, what requirements/*.in ask for
	@$(PYTHON) -m tools.lock $(LOCKS)

clean:  ## Remove what was built: environments, caches, stamps
	rm -rf .venvs .cache build dist src/*.egg-info .coverage .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venvs/dev/.stamp: requirements/dev.txt
.venvs/demo/.stamp: requirements/demo.txt requirements/demo-model.txt
.venvs/torch/.stamp: requirements/torch.txt
.venvs/client-1.19/.stamp: requirements/client-1.19.txt
.venvs/client-1/.stamp: requirements/client-1.txt
.venvs/scan-peers/.stamp: requirements/scan-peers.txt
.venvs/log-judge/.stamp: requirements/log-judge.txt
.venvs/proof-judge/.stamp: requirements/proof-judge.txt requirements/proof-judge-npm/package-lock.json
.venvs/bom-judge/.stamp: requirements/bom-judge.txt
.venvs/delta-peers/.stamp: requirements/torch.txt requirements/delta-peers.txt
.venvs/fuzz/.stamp: requirements/fuzz.txt
.venvs/dev/.stamp .venvs/demo/.stamp .venvs/torch/.stamp .venvs/fuzz/.stamp: \
    pyproject.toml src/allmende/codecs/_coder.c $(wildcard src/allmende/codecs/*.h)

.venvs/%/.stamp: requirements/uv.txt tools/environment.py
	@$(PYTHON) -m tools.environment $*
