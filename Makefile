# The usual way in. Everything here is a line or two over meson and the scripts in tools/ and tests/.
# The build folder is build/; `make help` lists what there is.

BUILD = build
PREFIX ?= /usr/local
# UI=disabled: without the web console, which alone needs npm's registry. The build folder remembers.
UI = $(if $(wildcard $(BUILD)/.ui-disabled),disabled,enabled)
console = $(if $(filter disabled,$(UI)),true,tools/web)
export PREFIX UI

.PHONY: help setup build run test test-asan check bench soak kill gate fuzz vmtest install clean format

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | sort | awk -F '\t' '{printf "make %-9s %s\n", $$1, $$2}'

setup: ## install the Debian packages that are missing
	@tools/setup build

$(BUILD)/build.ninja:
	@tools/setup build
	@$(console)
	meson setup $(BUILD) -Dtests=false -Dui=$(UI)
	@touch $(BUILD)/.ui-$(UI)

build: $(BUILD)/build.ninja ## build/docle, docle-launcher and docle-egress
	@tools/setup build
	@$(console)
	@[ -e $(BUILD)/.ui-$(UI) ] || \
	    { meson setup --reconfigure $(BUILD) -Dui=$(UI) >/dev/null && rm -f $(BUILD)/.ui-* && touch $(BUILD)/.ui-$(UI); }
	@ninja -C $(BUILD) -n | grep -q 'no work to do' || ninja -C $(BUILD)

run: build ## build what is needed and serve on loopback, state in ./data
	@exec tools/run

test: ## everything; ends with "N passed, N failed"
	@tools/setup build test
	@tests/run

check: build ## format, layers, manuals, shell scripts
	@tools/setup build test
	@tools/check

bench: build ## figures against the bare interpreters
	@tools/setup build test
	@tests/run --only bench,bench-network,bench-packages,bench-metering

soak: build ## ten minutes at full load, flat memory and descriptors
	@tools/setup build test
	@tests/run --only soak

kill: build ## kill -9 of each process, again and again; nothing acknowledged is lost
	@tools/setup build test
	@tests/run --only kill

gate: build ## the most used packages of pip and npm, installed and used, sealed
	@tools/setup build test
	@tests/run --only gate

fuzz: ## a minute for each parser
	@tools/setup build test
	@tests/run --only fuzz

test-asan: ## all tests of the API on a server with AddressSanitizer, LeakSanitizer and UBSan
	@tools/setup build test
	@tests/run --only asan

vmtest: build ## other kernels and cgroup v2, in a QEMU machine; PHASES=a,b for some of it
	@tools/setup build test vm
	@DOCLE_TEST_VM_PHASES="$(PHASES)" tests/run --only vm

install: build ## into DESTDIR and PREFIX
	@tools/install

format: ## clang-format over the sources
	@find src tests -name '*.[ch]' -exec clang-format -i {} +

clean: ## remove build folders; ./data stays
	@rm -rf $(BUILD) build-*
