# Vedette's chores. `make help` lists them. Needs git, make and Python 3.11 to 3.13; everything else goes into .venv.

VENV ?= .venv
BIN := $(VENV)/bin
DATA ?= ../shared/data
RUN ?= runs/faces
SOURCE ?= 0
ARGS ?=
LIGHT := .[web,demo]
FULL := .[web,demo,faces,train,convert,dev]
CODE := sdk train convert tests bench examples

# The first interpreter that the locked packages have wheels for.
FIND_PYTHON = for p in $(PYTHON) python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && { echo $$p; break; }; done

# uv does not read pip's variables: hand on what the machine's owner has set.
define hand_on
ifneq ($$($(1)),)
export $(2) ?= $(3)
endif
endef
comma := ,
space := $(subst ,, )
links = $(foreach l,$(PIP_FIND_LINKS),$(if $(findstring ://,$l),$l,$(wildcard $l)))
$(eval $(call hand_on,PIP_CERT,SSL_CERT_FILE,$$(PIP_CERT)))
$(eval $(call hand_on,PIP_INDEX_URL,UV_DEFAULT_INDEX,$$(PIP_INDEX_URL)))
$(eval $(call hand_on,PIP_EXTRA_INDEX_URL,UV_INDEX,$$(PIP_EXTRA_INDEX_URL)))
$(eval $(call hand_on,PIP_NO_INDEX,UV_NO_INDEX,1))
$(eval $(call hand_on,PIP_DEFAULT_TIMEOUT,UV_HTTP_TIMEOUT,$$(PIP_DEFAULT_TIMEOUT)))
$(eval $(call hand_on,links,UV_FIND_LINKS,$$(subst $$(space),$$(comma),$$(strip $$(links)))))

# Bytecode is worth keeping: TensorFlow alone takes seconds to compile at each start.
export PYTHONDONTWRITEBYTECODE :=

# $(call install,WHAT): uv where it works, else pip, which also reads the machine's pip.conf.
define install
$(BIN)/uv pip install -q --python $(BIN)/python -c requirements/dev.txt $(1) || \
	$(BIN)/python -m pip install -q --disable-pip-version-check -c requirements/dev.txt $(1)
endef

.DEFAULT_GOAL := help
.PHONY: help test lint fmt fuzz demo live test-arm64 test-camera bench enhance-sheet train-faces wheel lock clean

help: ## list the targets
	@sed -n 's/^\([a-z0-9-]*\):.*## /\1|/p' $(MAKEFILE_LIST) | awk -F'|' '{printf "  make %-13s %s\n", $$1, $$2}'

$(BIN)/python:
	@python=$$($(FIND_PYTHON)); \
	test -n "$$python" || { echo "Vedette needs Python 3.11, 3.12 or 3.13; name it with PYTHON=..." >&2; exit 1; }; \
	$$python -m venv $(VENV) || { rm -rf $(VENV); \
		echo "$$python cannot make a virtual environment. On Debian and Ubuntu: sudo apt install python3-venv" >&2; exit 1; }
	@$(BIN)/python -m pip install -q --disable-pip-version-check uv || echo "uv cannot be installed: going on with pip" >&2

# What runs: small, quick to install. The stamp of the whole set stands on top of it.
$(VENV)/.light: $(BIN)/python pyproject.toml requirements/dev.txt
	@echo "installing what the demo needs into $(VENV)"
	@$(call install,-e '$(LIGHT)')
	@touch $@

$(VENV)/.full: $(VENV)/.light
	@echo "installing the whole set into $(VENV): about 2.5 GB"
	@$(call install,-e '$(FULL)')
	@touch $@

demo: $(VENV)/.light ## the live loop on demo:// for ten seconds; writes out/demo
	@mkdir -p out/demo
	@$(BIN)/vedette live demo:// --stage faces --seconds 10 --sink out/demo/annotated.mp4 \
		--sink "out/demo/results.jsonl?overwrite=1" --sink sheet:out/demo/contact-sheet.jpg
	@printf '\n  %s\n' "out/demo/contact-sheet.jpg, annotated.mp4 and results.jsonl show what was seen. Next:" \
		"make live SOURCE=demo://             the dashboard in your browser" \
		"make live SOURCE=0                   the same with your camera" \
		"$(BIN)/vedette detect photo.jpg      faces in a picture"

live: $(VENV)/.light ## SOURCE=0: the live loop with the dashboard, until Ctrl-C
	@$(BIN)/vedette live '$(SOURCE)' --stage faces --sink web://127.0.0.1:8080 $(ARGS)

CASES ?= 100000
fuzz: $(VENV)/.full ## damage model files CASES=100000 times; nothing but ModelError may come out
	@PYTHONPATH=tests $(BIN)/python -X faulthandler tests/fuzz_tflite.py $(CASES) $(ARGS)

# Both go on to the end: one look shows all that is wrong. A file's tests stay in one process; more than four processes
# would need more memory than they save time.
test: $(VENV)/.full ## all checks and tests, as in CI
	@status=0; $(MAKE) --no-print-directory lint || status=1; \
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile $(ARGS) || status=1; exit $$status

lint: $(VENV)/.full ## style, types, and which way imports run
	@status=0; $(BIN)/ruff check --output-format concise $(wildcard $(CODE)) || status=1; \
	$(BIN)/ruff format --check --output-format concise $(wildcard $(CODE)) || status=1; \
	$(BIN)/mypy || status=1; \
	$(BIN)/lint-imports --no-logo || status=1; exit $$status

fmt: $(VENV)/.full ## put the style right
	@$(BIN)/ruff check --fix-only $(wildcard $(CODE))
	@$(BIN)/ruff format $(wildcard $(CODE))

test-arm64: $(VENV)/.full ## the wheel as a Cortex-A72 runs it, under qemu
	@VEDETTE_ARM64=required $(BIN)/python -m pytest tests/arm64 -s $(ARGS)

test-camera: $(VENV)/.light ## real picamera2 on libcamera's virtual camera; needs root
	@tests/camera/run.sh || test $$? = 77  # 77: skipped, and it said why

bench: $(VENV)/.light ## speed of the live loop, and of `import vedette`
	@$(BIN)/vedette bench
	@$(BIN)/python bench/import_time.py

enhance-sheet: $(VENV)/.full ## draw docs/images/enhance.jpg by the bundled models
	@$(BIN)/python bench/enhance_sheet.py $(ARGS)

train-faces: $(VENV)/.full ## train the face detector again, from DATA=../shared/data into RUN=runs/faces
	@KERAS_BACKEND=$${KERAS_BACKEND:-jax} $(BIN)/vedette train faces --data '$(DATA)' --out '$(RUN)' $(ARGS)
	@$(BIN)/vedette convert '$(RUN)' --out '$(RUN)/face-detector.tflite'

wheel: $(VENV)/.full ## build dist/*.whl
	@$(BIN)/python -m build --wheel --no-isolation --outdir dist >/dev/null && ls -l dist/*.whl

lock: $(BIN)/python ## renew requirements/dev.txt; UPGRADE=1 for the newest
	@$(BIN)/uv pip compile -q --universal --python-version 3.11 --no-annotate --custom-compile-command 'make lock' \
		$(if $(UPGRADE),--upgrade) -c requirements/pins.in --extra web --extra demo --extra faces --extra train --extra convert \
		--extra dev pyproject.toml -o requirements/dev.txt

clean: ## remove .venv and all that was built
	@rm -rf $(VENV) build dist out .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
