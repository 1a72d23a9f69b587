# Cleans INPUT into OUTPUT. `make help` lists what there is; each recipe is one command.
INPUT   ?= seeds
OUTPUT  ?= data
WORKERS ?=
ENGINE  ?= local
MODEL   ?= pipeline/model/shipped
CORPUS  ?= ../shared/corpora/train.jsonl.zst
DEV     ?= ../shared/corpora/dev.jsonl.zst
LEXICA  ?= ../shared/lexica
ANNOTATIONS ?=
SHEET   ?= $(OUTPUT)/flags.csv
ANSWERS ?= answers.jsonl
PYTHON  ?= python3
UV      ?= uv

PY        = .venv/bin/python
READY     = .venv/.ready
READY_DEV = .venv/.ready-dev
READY_SPARK = .venv/.ready-spark
READY_RUN = $(if $(filter spark,$(ENGINE)),$(READY_SPARK),$(READY))
KERNELS   = pipeline/model/_kernels.so
PIPELINE  = $(PY) -m pipeline
OPTIONS   = $(if $(WORKERS),--workers "$(WORKERS)") --engine "$(ENGINE)" --model "$(MODEL)"
PINS      = $(UV) pip compile pyproject.toml --quiet --universal --generate-hashes --no-annotate
SAYS      = --custom-compile-command "make lock"

# An empty OUTPUT would make `clean` delete from the root of the disk.
$(foreach name,INPUT OUTPUT,$(if $(strip $($(name))),,$(error $(name) is empty: name a folder)))

.DEFAULT_GOAL := run
.PHONY: run ingest normalise flag segment write report picture export import links learn train evaluate bench growth proof test test-spark torture lint format lock clean help

run: $(READY_RUN)  ## clean INPUT into tables and a report under OUTPUT (what `make` alone does)
	@$(PIPELINE) run "$(INPUT)" "$(OUTPUT)" $(OPTIONS)

ingest: $(READY_RUN)  ## only decode the files of INPUT
	@$(PIPELINE) ingest "$(INPUT)" "$(OUTPUT)/1-ingested" $(OPTIONS)

normalise: ingest  ## the stages up to normalised text
	@$(PIPELINE) normalise "$(OUTPUT)/1-ingested" "$(OUTPUT)/2-normalised" $(OPTIONS)

flag: normalise  ## the stages up to flagged substitutions
	@$(PIPELINE) flag "$(OUTPUT)/2-normalised" "$(OUTPUT)/3-flagged" $(OPTIONS)

segment: flag  ## the stages up to sentences
	@$(PIPELINE) segment "$(OUTPUT)/3-flagged" "$(OUTPUT)/4-segmented" $(OPTIONS)

write: segment  ## all stages, one after another: the same tables as `make`
	@$(PIPELINE) write "$(OUTPUT)/4-segmented" "$(OUTPUT)/corpus" $(OPTIONS)

report: $(READY)  ## write OUTPUT/report.html again, about the tables that are there
	@$(PIPELINE) report "$(OUTPUT)"

picture: $(READY_DEV)  ## make the README's picture again, with Chromium
	@$(PY) -m tests.report.picture

export: $(READY)  ## write flags of OUTPUT to SHEET (.csv or .json), for people to judge
	@$(PIPELINE) export "$(OUTPUT)" "$(SHEET)" --model "$(MODEL)"

import: $(READY)  ## add the answers in SHEET to ANSWERS
	@$(PIPELINE) import "$(SHEET)" "$(ANSWERS)"

links: run  ## clean INPUT, and find which documents are copies of others, spun or not: OUTPUT/links
	@$(PIPELINE) links "$(OUTPUT)" $(OPTIONS)

learn: run  ## clean INPUT, and learn from it the words of tools that no list knows: OUTPUT/learned
	@$(PIPELINE) learn "$(OUTPUT)" --model "$(MODEL)"

train: $(READY_DEV)  ## learn MODEL from the text in CORPUS, the word lists in LEXICA, and ANNOTATIONS
	@$(PIPELINE) train "$(CORPUS)" "$(LEXICA)" "$(MODEL)" $(if $(ANNOTATIONS),--annotations "$(ANNOTATIONS)")

evaluate: $(READY)  ## measure MODEL on the text in DEV, spun with the word lists in LEXICA
	@$(PIPELINE) evaluate "$(DEV)" "$(LEXICA)" "$(MODEL)" --output "$(OUTPUT)"

bench: $(READY)  ## measure the speed of every stage on the text in DEV, beside jieba and OpenCC
	@$(PIPELINE) bench "$(DEV)" "$(LEXICA)" --output "$(OUTPUT)" --model "$(MODEL)"

growth: $(READY_DEV)  ## measure time, memory and disk as the input grows, on the text in DEV
	@$(PY) -m tests.growth "$(DEV)" "$(LEXICA)" --folder "$(OUTPUT)/growth"

proof: $(READY_DEV)  ## measure what a corpus teaches about each list of LEXICA that the model has forgotten
	@$(PY) -m tests.proof "$(DEV)" "$(CORPUS)" "$(LEXICA)" --folder "$(OUTPUT)/proof"

test: $(READY_DEV)  ## run the tests
	@$(PY) -m pytest

test-spark: $(READY_DEV) $(READY_SPARK)  ## run the tests of ENGINE=spark, which need Java 17
	@$(PY) -m pytest tests/spark

torture: $(READY_DEV)  ## kill runs at 200 random moments, and compare what they leave: half an hour
	@$(PY) -m tests.torture --kills 200 --seconds 3600

lint: $(READY_DEV)  ## check style and types
	@$(PY) -m ruff check && $(PY) -m ruff format --check && $(PY) -m mypy --strict pipeline

format: $(READY_DEV)  ## lay the code out as `make lint` wants it
	@$(PY) -m ruff check --fix --quiet; $(PY) -m ruff format

lock:  ## choose the versions again, with uv
	@$(PINS) $(SAYS) -o requirements.txt && $(PINS) $(SAYS) --extra dev -c requirements.txt -o requirements-dev.txt && $(PINS) $(SAYS) --extra spark -c requirements.txt -o requirements-spark.txt

clean:  ## delete what was made under OUTPUT; INPUT stays
	@rm -rf "$(OUTPUT)/0-stdin" "$(OUTPUT)/1-ingested" "$(OUTPUT)/2-normalised" "$(OUTPUT)/3-flagged" "$(OUTPUT)/4-segmented" "$(OUTPUT)/corpus" "$(OUTPUT)/evaluation.tsv" "$(OUTPUT)/bench.json" "$(OUTPUT)/growth" "$(OUTPUT)/proof" "$(OUTPUT)/links" "$(OUTPUT)/learned" "$(OUTPUT)/report.html"

help:  ## this list
	@awk -F ':[^#]*## ' '/^[a-z-]+:.*## / { printf "%-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or later is needed: name one with make PYTHON=...") if sys.version_info < (3, 11) else None' && { $(PYTHON) -m venv .venv || { rm -rf .venv; exit 1; }; }

# Without a compiler what is left is no library, and numpy does it all: the same results, later.
$(KERNELS): pipeline/model/kernels.c
	@$(CC) -O3 -std=c99 -ffp-contract=off -fPIC -shared -o $@ $< || { : > $@; echo "no C compiler: flagging will take two to four times as long" >&2; }

$(READY): requirements.txt | .venv/bin/python $(KERNELS)
	@echo "setting up .venv" >&2 && $(PY) -m pip install --quiet --disable-pip-version-check --no-compile --require-hashes -r requirements.txt && touch $@

$(READY_DEV): requirements-dev.txt | .venv/bin/python $(KERNELS)
	@echo "setting up .venv for development" >&2 && $(PY) -m pip install --quiet --disable-pip-version-check --no-compile --require-hashes -r requirements-dev.txt && touch $@

$(READY_SPARK): requirements-spark.txt | .venv/bin/python
	@echo "setting up .venv for Spark" >&2 && $(PY) -m pip install --quiet --disable-pip-version-check --no-compile --require-hashes -r requirements-spark.txt && touch $@
