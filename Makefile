# make demo      set up and run the main job on sample photos
# make test      set up and run the tests, with the same examples at every run, but for slow ones
# make test-slow run the slow ones: killed again and again, long use in a browser, whole jobs
# make test-all  run both
# make fuzz      run the property tests on random examples, for MINUTES=10, then EXAMPLES=1000 random
#                histories of a gallery, of STEPS=50 each, then fuzz the parsers
# make check     format, lint, types and docs
# make docs      renew what is generated in the documentation
# make clean     remove what the other commands made

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO := demo
WORKERS ?= 2
MINUTES ?= 10
EXAMPLES ?= 1000
STEPS ?= 50
FUZZ_MINUTES ?= 1
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: demo test test-slow test-all fuzz check docs format clean

$(VENV)/installed: setup.cfg pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) -e '.[cpu,demo]'
	touch $@

$(VENV)/installed-dev: $(VENV)/installed
	$(INSTALL) -e '.[cpu,demo,serve,dev,ray]'
	touch $@

demo: $(VENV)/installed
	rm -rf $(DEMO)
	$(BIN)/facesearch demo $(DEMO)/photos
	$(BIN)/facesearch index $(DEMO)/photos --gallery $(DEMO)/demo.gallery
	$(BIN)/facesearch cluster $(DEMO)/demo.gallery
	$(BIN)/facesearch report $(DEMO)/demo.gallery

test: $(VENV)/installed-dev
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -m "not slow"

test-slow: $(VENV)/installed-dev
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -m slow

test-all: test test-slow

fuzz: $(VENV)/installed-dev
	end=$$(($$(date +%s) + 60 * $(MINUTES))); while [ $$(date +%s) -lt $$end ]; do \
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -m "hypothesis and not slow" \
	--hypothesis-profile=random || exit; done
	PYTHONPATH=.:tests $(BIN)/python -m support.histories.trials --examples $(EXAMPLES) --steps $(STEPS)
	PYTHONPATH=.:tests $(BIN)/python -m fuzz.coverage --minutes $(FUZZ_MINUTES)

check: $(VENV)/installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest tests/test_docs.py

docs: $(VENV)/installed-dev
	$(BIN)/python docs/make_commands.py > docs/commands.md
	$(BIN)/python docs/make_openapi.py > docs/openapi.json
	$(BIN)/python -m benchmarks.figures.make_docs

format: $(VENV)/installed-dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) $(DEMO) build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
