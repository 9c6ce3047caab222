# The developer's menu: `make help`.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
PIP = $(BIN)/pip --disable-pip-version-check
DISTRIBUTIONS = -e "core[fast]" -e plugins/openai_compat -e plugins/ollama -e plugins/lemonade -e plugins/agents -e plugins/mcp -e plugins/rag -e plugins/kit \
	-e "plugins/universal[server]"
BENCHMARKS = sizes startup first_token closing health gateway structured encoders embeddings audio images dtype chaos residency media_residency rag textgen soak
DECLARED = constraints.txt requirements-dev.txt core/pyproject.toml $(wildcard plugins/*/pyproject.toml)

.DEFAULT_GOAL := help
.PHONY: help demo test check clients docs bench clean

help: ## Show this menu
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-7s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(VENV)/.made:
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed; this is " + sys.version) if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.demo: $(VENV)/.made $(DECLARED)
	$(PIP) install --quiet -c constraints.txt $(DISTRIBUTIONS)
	@touch $@

$(VENV)/.dev: $(VENV)/.demo
	$(PIP) install --quiet -c constraints.txt -r requirements-dev.txt
	@touch $@

demo: $(VENV)/.demo ## Answer a question with the embedded model, through the whole road
	@mkdir -p demo && cd demo && { test -e llamafarm.yaml || ../$(BIN)/lf init; }
	@cd demo && echo '$$ lf chat "What is LlamaFarm?"' && ../$(BIN)/lf chat "What is LlamaFarm?"
	@echo && echo 'Ask more: cd demo && ../$(BIN)/lf chat'

test: $(VENV)/.dev ## Run all tests
	@# Without bytecode each of the many processes that tests start would compile everything again.
	env -u PYTHONDONTWRITEBYTECODE $(BIN)/pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder

check: $(VENV)/.dev ## Format, lint, types, imports
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

clients: $(VENV)/.dev ## Let instructor, LangChain, pydantic-ai and the Vercel AI SDK ask, as they are; installs them
	$(BIN)/python tests/clients/run.py

docs: $(VENV)/.dev ## Write what the documents say of the code, from the code
	$(BIN)/python docs/generate.py

bench: $(VENV)/.dev ## Run every benchmark beside its peers; fails at the end when a budget was missed
	@missed=; for program in $(BENCHMARKS); do \
		echo "== $$program"; \
		if $(BIN)/python benchmarks/$$program.py; then echo "$$program: held"; \
		else echo "$$program: MISSED"; missed="$$missed $$program"; fi; \
	done; \
	if [ -n "$$missed" ]; then echo "== missed:$$missed"; exit 1; fi; echo "== all held"

clean: ## Remove what make has made
	rm -rf $(VENV) demo build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
