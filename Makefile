# Everything a checkout can do. Needs make and Python 3.11 or newer with pip; brings the rest itself.
#
#   make setup     .venv with the server, its libraries and the tools, as locked in requirements/
#   make serve     run the server          (ARGS="--port 8080" is handed on; so for sandbox and test)
#   make sandbox   run the sandbox
#   make check     format, lint, types and the quick tests
#   make test      all tests
#   make soak      tests that take hours: a held load, long fuzzing (MINUTES=1 for a short load)
#   make fuzz      the reading of bodies, by coverage (SECONDS=600)
#   make bench     Hupan beside the limits of this machine, in 15 minutes (BENCH=bench.pictures for
#                  one of the small ones; ARGS="--only reads", --json FILE, --svg FILE, --docs)
#   make bench-quick  the same with fewer accounts, in two minutes
#   make bench-url URL=http://127.0.0.1:8480  a running server, which is only read from
#   make bench-peers  Hupan beside what people would pick instead (ARGS="--quick" for a shorter run)
#   make lock      resolve requirements/ anew (UPGRADE=--upgrade to take newer versions)
#   make proto     generate the protobuf stubs from proto/
#   make clients   make the synchronous half of the Python clients from the asynchronous one
#   make dist      wheels and sdists of server, client and pytest plugin, in dist/
#   make packages  all that operators install, in dist/: wheels, a Debian package, an image (ARGS=deb
#                  for one kind; on Debian 12, needs binutils, buildah and mmdebstrap, and root)
#   make test-packages  install, run, upgrade and purge them on fresh machines (as root, needs runc too)
#   make docs      the pages that are generated from the code, in docs/
#   make screenshots  each page of the sandbox in screenshots/, and those of the READMEs
#   make wordlist  make the filter of common passwords from wordlists/
#   make sbom      bill of materials of the server on standard output, as CycloneDX
#   make audit     known holes of the locked packages, from the public database
#   make clean     remove what the above made, never data/

.PHONY: clients dist packages test-packages setup serve sandbox check test soak fuzz bench bench-quick bench-url bench-peers lock proto wordlist screenshots docs sbom audit clean ready-runtime ready-dev
.DEFAULT_GOAL := setup

VENV := $(CURDIR)/.venv
BIN := .venv/bin
# Not the one of an activated .venv: that has no pip.
PYTHON ?= $(shell PATH="$(subst $(VENV)/bin:,,$(PATH))" command -v python3 || echo python3)
STUBS := src/hupan/contract/pb

# A stamp per lock, bearing the checkout's place: a virtual environment does not survive a move.
PLACE := $(shell pwd | cksum | cut -d ' ' -f 1)
RUNTIME := .venv/runtime-$(PLACE)
DEV := .venv/dev-$(PLACE)

# Two makes at once set up one after the other; the second then finds the stamp and does nothing.
ONE_AT_A_TIME := $(shell command -v flock >/dev/null && echo flock Makefile)
READY := +@$(ONE_AT_A_TIME) $(MAKE) -s --no-print-directory

# Wheels alone, by hash: setting up runs nobody's build script but our own (security L5).
INSTALL = $(PYTHON) -m pip --python "$(VENV)/bin/python" -qq --no-input install
LOCKED = $(INSTALL) --require-hashes --only-binary :all:
OURSELVES = $(INSTALL) --no-deps --no-build-isolation --editable .
CLIENTS = --editable clients/hupan-client --editable clients/pytest-hupan

# Compiled once for the many processes of the tests, whatever the environment says of that. Files are
# played in the order of tests/conftest.py, not by the number of their tests.
PYTEST := env -u PYTHONDONTWRITEBYTECODE $(BIN)/pytest --dist loadfile --no-loadscope-reorder \
	--timeout 300

TYPES := .venv/types.txt

setup: ready-dev

serve: ready-runtime
	@exec $(BIN)/hupan serve $(ARGS)

sandbox: ready-runtime
	@exec $(BIN)/hupan sandbox $(ARGS)

# The types beside the tests: either leaves a core idle at times.
check: ready-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	@$(BIN)/mypy >$(TYPES) 2>&1 & types=$$!; \
		$(PYTEST) -n 2 -q -m "not slow and not soak" $(ARGS); tests=$$?; \
		wait $$types; types=$$?; cat $(TYPES); exit $$((tests || types))

# Three processes on two cores: slow tests wait for servers and clocks.
test: ready-dev
	$(PYTEST) -n 3 $(ARGS)

MINUTES ?= 15

# The load first: it needs both cores for itself.
soak: ready-dev
	$(BIN)/python -m tests.soak.load --minutes $(MINUTES) --out soak.json
	$(PYTEST) -n 2 -m soak --timeout 0 $(ARGS)

SECONDS ?= 600
FUZZ := .venv/fuzz-$(PLACE)

# In an environment of its own: its engine is no part of what `make test` stands on.
fuzz: ready-runtime $(FUZZ)
	PYTHONPATH=src:. $(FUZZ)/bin/python -m tests.soak.fuzz_codec -max_total_time=$(SECONDS) -max_len=2048 $(ARGS)

$(FUZZ): requirements/runtime.txt requirements/fuzz.txt
	$(PYTHON) -m venv --clear --without-pip $@
	@$(PYTHON) -m pip --python $@/bin/python -qq --no-input install --require-hashes \
		--only-binary :all: -r requirements/runtime.txt -r requirements/fuzz.txt

BENCH ?= bench.harness.run

bench: ready-dev
	$(BIN)/python -m $(BENCH) $(ARGS)

bench-quick: ready-dev
	$(BIN)/python -m bench.harness.run --quick $(ARGS)

bench-url: ready-dev
	$(BIN)/python -m bench.load $(URL) $(ARGS)

bench-peers: ready-dev
	$(BIN)/python -m bench.peers $(ARGS)

# A version must be a week old before it is taken (security L5).
COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-header --exclude-newer "7 days" $(UPGRADE)

lock: ready-dev
	$(COMPILE) pyproject.toml -o requirements/runtime.txt
	$(COMPILE) pyproject.toml --group dev -c requirements/runtime.txt -o requirements/dev.txt
	$(COMPILE) --group build -c requirements/dev.txt -o requirements/build.txt
	$(COMPILE) --group fuzz -c requirements/runtime.txt -o requirements/fuzz.txt
	$(COMPILE) --group audit -o requirements/audit.txt

proto: ready-dev
	PATH="$(VENV)/bin:$$PATH" $(BIN)/python -m grpc_tools.protoc -I proto \
		--python_out=$(STUBS) --mypy_out=$(STUBS) proto/*.proto

dist: ready-dev
	@$(BIN)/python -m tools.dist

packages: ready-dev
	@$(BIN)/python -m tools.packages $(ARGS)

# Minutes, and root: not a part of `make test`.
test-packages: ready-dev
	$(BIN)/pytest -n 0 -m soak --timeout 0 tests/packages $(ARGS)

clients: ready-dev
	$(BIN)/python -m tools.clients

docs: ready-dev
	$(BIN)/python -m tools.docs

screenshots: ready-dev
	$(BIN)/python -m tools.screenshots

wordlist: ready-dev
	$(BIN)/python -m wordlists.make

sbom: ready-dev
	@$(BIN)/python -m supply.sbom

AUDIT := .venv/audit-$(PLACE)

# In an environment of its own, as the fuzzing engine is. Ends with 2 where nothing could be asked.
audit: ready-dev $(AUDIT)
	@$(BIN)/python -m supply.audit $(AUDIT)/bin/pip-audit requirements/runtime.txt requirements/build.txt

$(AUDIT): requirements/audit.txt
	$(PYTHON) -m venv --clear --without-pip $@
	@$(PYTHON) -m pip --python $@/bin/python -qq --no-input install --require-hashes \
		--only-binary :all: -r requirements/audit.txt

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist
	find src tests -name __pycache__ -prune -exec rm -rf {} +

ready-runtime:
	$(READY) $(RUNTIME)

ready-dev:
	$(READY) $(DEV)

$(RUNTIME): pyproject.toml requirements/runtime.txt requirements/build.txt
	@echo "Setting up .venv with the server's libraries (some ten seconds, once)"
	$(virtual_environment)
	@$(LOCKED) -r requirements/runtime.txt -r requirements/build.txt
	@$(OURSELVES)
	@touch $@

$(DEV): pyproject.toml clients/hupan-client/pyproject.toml clients/pytest-hupan/pyproject.toml requirements/runtime.txt requirements/dev.txt
	@echo "Setting up .venv with the server's libraries and the tools (half a minute, once)"
	$(virtual_environment)
	@$(LOCKED) -r requirements/dev.txt
	@$(OURSELVES) $(CLIENTS)
	@touch $(RUNTIME) $@

# Without pip inside, for Debian's python3 cannot put one there unless python3-venv is installed.
define virtual_environment
@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	|| { echo "Hupan needs Python 3.11 or newer: make PYTHON=/path/to/python3"; exit 1; }
@$(PYTHON) -m pip --version >/dev/null 2>&1 \
	|| { echo "Hupan needs pip for $(PYTHON) (on Debian: apt-get install python3-pip)"; exit 1; }
@test -x .venv/bin/python && grep -qs " $(VENV)$$" .venv/pyvenv.cfg \
	|| $(PYTHON) -m venv --clear --without-pip "$(VENV)"
endef
