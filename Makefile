# `make help` says what there is. Each target works as root and as an ordinary user.

SHELL := /usr/bin/env bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
# A build checks its SQL against .sqlx/ and needs no database.
export SQLX_OFFLINE = true

.NOTPARALLEL:
.PHONY: help demo test torture bench deb lint fmt sqlx peers peers-lock tools

help:  ## Say what there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 14

demo: postgresql  ## Play an election day on this machine, with dashboard
	cargo build --release
	target/release/scrutineer demo $(ARGS)

test: tools lint build peers  ## All that CI runs
	@tests/tools package || true
	@tests/tools tshark || true
	cargo nextest run --no-tests=fail --no-fail-fast

# ARGS narrows it (ARGS="-E 'test(/^kill::/)'"), SCRUTINEER_SEED repeats one's chances.
torture: export SCRUTINEER_TORTURE = 1
torture: export SCRUTINEER_FIGURES = $(CURDIR)/target/figures
torture: tools peers  ## The long forms of the tests of faults, for hours, with their figures as a table
	@tests/tools tshark || true
	@tests/tools network || true
	@rm -f $(SCRUTINEER_FIGURES)
	cargo nextest run --profile torture --cargo-profile torture --no-tests=fail $(ARGS) || { tests/figures $(SCRUTINEER_FIGURES); exit 1; }
	@tests/figures $(SCRUTINEER_FIGURES)

bench: postgresql  ## Measure this machine: understanding, the link beside Kannel, the whole chain, the pages
	@tests/tools kannel || true
	cargo bench --bench understanding -- $(ARGS)
	cargo bench --bench allocations
	cargo bench --bench link -- $(ARGS)
	cargo bench --bench chain -- $(ARGS)
	cargo bench --bench web -- $(ARGS)

# The same commit gives the same package, wherever it is built. The tests install a package made of the
# program that they have built themselves; this one takes minutes, as the program is optimised whole.
deb: tools  ## The Debian package, in target/debian
	@tests/tools package
	RUSTFLAGS="--remap-path-prefix=$(CURDIR)=/build --remap-path-prefix=$${CARGO_HOME:-$$HOME/.cargo}=/cargo" \
		cargo build --locked --profile dist --bin scrutineer
	packaging/deb dist
	@lintian --allow-root --info --fail-on warning,error target/debian/*.deb

lint: tools  ## Format, clippy, licences and sources of dependencies
	cargo fmt --check
	cargo clippy --all-targets --locked -- -D warnings
	cargo deny --locked --log-level error check --hide-inclusion-graph licenses bans sources
	@tests/tools advisories

fmt:  ## Format
	cargo fmt

sqlx: postgresql  ## Describe the queries anew for offline builds (.sqlx/)
	tests/offline-sql.sh

.PHONY: build
build:
	env -u DATABASE_URL cargo build --all-targets --locked

peers: tools
	cd tests/peers && npm ci --no-audit --no-fund --loglevel=error
	tests/peers/python

# The lock file names no host: npm takes whatever registry is configured.
peers-lock:  ## Resolve the npm peers anew
	cd tests/peers && rm -f package-lock.json && npm install --package-lock-only --no-audit --no-fund --omit-lockfile-registry-resolved

tools:
	@tests/tools postgresql openssl node chromium nextest deny faketime

.PHONY: postgresql
postgresql:
	@tests/tools postgresql
