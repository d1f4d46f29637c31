# The two commands of the README. Everything else is nox: see CONTRIBUTING.md.

ROOT := $(patsubst %/,%,$(dir $(realpath $(lastword $(MAKEFILE_LIST)))))
PYTHON ?= python3
# A name, or a path from the folder that the command was typed in, also with `make -C` and `make -f`.
DIR ?= try-lockgate/qwen-chat
# One nox session instead of all of them.
SESSION ?=

.PHONY: help try test

help: ## list these commands
	@sed -nE 's/^([a-z]+):.*## (.*)/make \1  \2/p' '$(ROOT)/Makefile'

try: ## install Lockgate, write a repository with the default answers into DIR and gate it
	@cd "$(PWD)" && '$(PYTHON)' '$(ROOT)/tools/make.py' try '$(DIR)'

test: ## run every test: lint, types, policies, tests; SESSION=NAME for one of them
	@'$(PYTHON)' '$(ROOT)/tools/make.py' test $(SESSION)
