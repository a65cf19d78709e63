# weir - everything is built and tested from here; `make help` lists the targets.
#
# Sources are found by wildcard, one object tree for each variant: build/release, build/asan, build/tsan. CC, CFLAGS, LDFLAGS,
# PREFIX and DESTDIR are yours; what the code needs to be compiled at all is added to them. V=1 shows the commands.

CC      ?= cc
CFLAGS  ?= -O2 -g
LDFLAGS ?=
PREFIX  ?= /usr/local
DESTDIR ?=
TARGET  ?= x86_64
FUZZ_SECONDS ?= 60
# SCRIPT=0 leaves script functions and their JavaScript engine out.
SCRIPT  ?= 1
SCRIPT_OUT := $(filter 0,$(SCRIPT))
NOT_BUILT := $(if $(SCRIPT_OUT),engine/expr/script_js.c engine/expr/script_steps.c,engine/expr/script_none.c)
BUILD_SETS := build $(if $(SCRIPT_OUT),,script)

ifeq ($(origin CC),default)
CC = gcc
endif
ifeq ($(MAKELEVEL)$(filter -j%,$(MAKEFLAGS)),0)
MAKEFLAGS += -j$(shell nproc 2>/dev/null || echo 1)
endif
MAKEFLAGS += --no-print-directory
Q := $(if $(filter-out 0,$(V)),,@)

WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wvla
ifneq ($(findstring clang,$(CC)),)
WARNINGS += -Wno-string-conversion
endif
ifneq ($(filter true 1,$(CI) $(WERROR)),)
WARNINGS += -Werror
endif
BASE_CFLAGS := -std=c11 -D_GNU_SOURCE -I. -pthread $(WARNINGS) -MMD -MP
LIBS := -lmosquitto -lcjson -lpcre2-8 -llmdb -llz4 $(if $(SCRIPT_OUT),,-lduktape) -lm -pthread

# The flags of each variant come behind the caller's, so that they win.
FLAGS_release :=
FLAGS_asan    := -O1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined -DWEIR_DEBUG
FLAGS_tsan    := -O1 -fno-omit-frame-pointer -fsanitize=thread -DWEIR_DEBUG
VARIANTS      := release asan tsan

ROOMS   := $(filter-out $(NOT_BUILT),$(wildcard agent/*.c engine/*.c engine/*/*.c ports/*.c))
HEADERS := $(wildcard agent/*.h engine/*.h engine/*/*.h ports/*.h)
UNITS   := $(wildcard tests/unit/test_*.c tests/ports/test_*.c)
FUZZERS := $(wildcard tests/fuzz/fuzz_*.c)
UNIT_PROGRAMS := $(UNITS:%.c=build/asan/%)
BENCH_PROGRAMS := build/bench/inputs build/bench/mqttload build/bench/floor build/bench/bare build/bench/tablerows build/bench/storedrows

.DEFAULT_GOAL := all
.PHONY: crash all test asan tsan tidy fuzz bench static install clean help deps run units FORCE
.SECONDARY:
.DELETE_ON_ERROR:

all: build/weir

help:
	@echo 'make            build/weir, from what is installed'
	@echo 'make deps       install the missing Debian packages (as root or by sudo)'
	@echo 'make run        deps, build, then the demonstration with a real broker'
	@echo 'make test       deps, build, then every test; the last line sums them up'
	@echo 'make asan       build/asan/weir, with the address and undefined behaviour sanitizers'
	@echo 'make tsan       build/tsan/weir, with the thread sanitizer'
	@echo 'make tidy       layout, include arrows, banned calls, clang-tidy'
	@echo 'make fuzz       the fuzzers, FUZZ_SECONDS=60 each (clang)'
	@echo 'make crash      kills the agent KILLS=500 times at random moments and at named points (SEED=...)'
	@echo 'make bench      the benchmarks, one JSON object a line'
	@echo 'make static     a static release for TARGET=x86_64|aarch64|armhf|armel'
	@echo 'make install    into DESTDIR/PREFIX (/usr/local)'
	@echo 'make clean      remove build/'
	@echo 'SCRIPT=0 builds without script functions'
	@echo 'Respected: CC CFLAGS LDFLAGS PREFIX DESTDIR; V=1 shows commands; WERROR=1 makes warnings errors'

# ---- what must be installed -------------------------------------------------------------------------------------------------------

deps:
	$(Q).ci/deps install $(BUILD_SETS) test

# Is made again when the list of packages or the compiler changes; says what is missing and how to get it.
build/deps.ok: .ci/deps
	@mkdir -p $(@D)
	$(Q)CC='$(CC)' .ci/deps check $(BUILD_SETS)
	@touch $@

# ---- compile and link -------------------------------------------------------------------------------------------------------------

# $(call variant,NAME): its object rule, its library (all but main) and its program.
define variant
OBJECTS_$(1) := $$(ROOMS:%.c=build/$(1)/%.o)
LIBRARY_$(1) := $$(filter-out build/$(1)/agent/main.o,$$(OBJECTS_$(1)))

build/$(1)/flags: FORCE
	@mkdir -p $$(@D)
	@echo '$$(CC) $$(CFLAGS) $$(BASE_CFLAGS) $$(FLAGS_$(1)) $$(LDFLAGS) $$(LIBS)' | cmp -s - $$@ || \
	    echo '$$(CC) $$(CFLAGS) $$(BASE_CFLAGS) $$(FLAGS_$(1)) $$(LDFLAGS) $$(LIBS)' > $$@

build/$(1)/%.o: %.c build/$(1)/flags | build/deps.ok
	@mkdir -p $$(@D)
	$$(if $$(Q),@echo '  CC    $(1) $$<')
	$$(Q)$$(CC) $$(CFLAGS) $$(BASE_CFLAGS) $$(FLAGS_$(1)) -c -o $$@ $$<

build/$(1)/libweir.a: $$(LIBRARY_$(1))
	$$(Q)rm -f $$@ && ar rcs $$@ $$^

-include $$(OBJECTS_$(1):.o=.d)
endef
$(foreach v,$(VARIANTS),$(eval $(call variant,$(v))))

LINK = $(Q)$(CC) $(CFLAGS) $(FLAGS_$(1)) $(LDFLAGS) -o $@ $(filter %.o %.a,$^) $(LIBS)

build/weir: $(OBJECTS_release)
	$(if $(Q),@echo '  LINK  $@')
	$(call LINK,release)

build/asan/weir: $(OBJECTS_asan)
	$(if $(Q),@echo '  LINK  $@')
	$(call LINK,asan)

build/tsan/weir: $(OBJECTS_tsan)
	$(if $(Q),@echo '  LINK  $@')
	$(call LINK,tsan)

asan: build/asan/weir
tsan: build/tsan/weir

# A unit test is its own file before the library: what it defines itself (a fake of timer_request) stands before ours.
build/asan/tests/%: build/asan/tests/%.o build/asan/libweir.a
	$(if $(Q),@echo '  LINK  $@')
	$(Q)$(CC) $(CFLAGS) $(FLAGS_asan) $(LDFLAGS) -Wl,--allow-multiple-definition -o $@ $^ $(LIBS)

units: $(UNIT_PROGRAMS)

-include $(UNIT_PROGRAMS:=.d)

# ---- tests ------------------------------------------------------------------------------------------------------------------------

run: deps
	$(Q)$(MAKE) all
	$(Q)conf/demo/run.sh

test: deps
	$(Q)$(MAKE) all asan units build/crash/crash build/crash/powercut.so build/crash/baddisk.so build/crash/setclock.so
	$(Q)tests/run.sh $(UNIT_PROGRAMS)

tidy:
	$(Q).ci/deps install $(BUILD_SETS) tidy
	$(Q)tests/tidy.sh $(ROOMS) $(HEADERS)

FUZZ_CC := clang -g -O1 -std=c11 -D_GNU_SOURCE -I. -pthread -DWEIR_DEBUG -fsanitize=address,undefined
FUZZ_OBJECTS := $(patsubst %.c,build/fuzz/objects/%.o,$(filter-out agent/main.c,$(ROOMS)))

build/fuzz/objects/%.o: %.c
	@mkdir -p $(@D)
	$(if $(Q),@echo '  CC    fuzz $<')
	$(Q)$(FUZZ_CC) -fsanitize=fuzzer-no-link -MMD -MP -c -o $@ $<

build/fuzz/libweir.a: $(FUZZ_OBJECTS)
	$(Q)rm -f $@ && ar rcs $@ $^

build/fuzz/tests/%: tests/%.c build/fuzz/libweir.a
	@mkdir -p $(@D)
	$(if $(Q),@echo '  FUZZ  $@')
	$(Q)$(FUZZ_CC) -fsanitize=fuzzer -o $@ $^ $(LIBS)

-include $(FUZZ_OBJECTS:.o=.d)

fuzz:
	$(Q).ci/deps install $(BUILD_SETS) tidy
	$(Q)$(MAKE) $(FUZZERS:%.c=build/fuzz/%)
	$(Q)for f in $(FUZZERS:%.c=build/fuzz/%); do mkdir -p $$f.corpus; \
	    $$f -max_total_time=$(FUZZ_SECONDS) -max_len=4096 -verbosity=0 -close_fd_mask=3 -artifact_prefix=$$f. \
	    $$f.corpus tests/errors tests/bench/apps conf/apps tests/fuzz/seeds || exit 1; echo "$$f: nothing found in $(FUZZ_SECONDS) s"; done

build/bench/durable: private LDFLAGS += -Wl,--wrap=durable_collect
build/bench/durable build/bench/tablerows build/bench/storedrows: build/bench/%: tests/bench/%.c build/release/libweir.a
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(BASE_CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)

build/bench/%: tests/bench/%.c | build/deps.ok
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -std=c11 $(LDFLAGS) -o $@ $<

build/bench/%: tests/bench/mqtt/%.c | build/deps.ok
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -std=gnu11 -I. $(LDFLAGS) -o $@ $< -lmosquitto

build/crash/%: tests/crash/%.c | build/deps.ok
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -std=gnu11 -pthread $(LDFLAGS) -o $@ $< -lmosquitto -ldl

build/crash/%.so: tests/crash/%.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -std=gnu11 -shared -fPIC $(LDFLAGS) -o $@ $< -ldl -pthread

crash: build/weir build/asan/weir build/crash/crash build/crash/powercut.so build/crash/baddisk.so
	$(Q)tests/crash/crash.sh $(or $(KILLS),500) $(SEED)

bench: build/weir $(BENCH_PROGRAMS)
	$(Q)tests/bench/bench.sh
	$(Q)build/bench/tablerows
	$(Q)build/bench/storedrows
	$(Q)tests/bench/memory.sh
	$(Q)tests/bench/mqtt.sh
	$(Q)DURABLE=1 QOS=1 tests/bench/mqtt.sh
	$(Q)tests/bench/drain.sh

# ---- the rest ---------------------------------------------------------------------------------------------------------------------

static:
	$(Q).ci/deps install static static-$(TARGET)
	$(Q).ci/static/fetch build/static/src
	$(Q)$(MAKE) -f .ci/static/static.mk TARGET=$(TARGET)

install: build/weir
	install -d '$(DESTDIR)$(PREFIX)/bin' '$(DESTDIR)$(PREFIX)/share/doc/weir'
	install -m 755 build/weir '$(DESTDIR)$(PREFIX)/bin/weir'
	install -m 644 LICENSE README.md '$(DESTDIR)$(PREFIX)/share/doc/weir'

clean:
	rm -rf build
