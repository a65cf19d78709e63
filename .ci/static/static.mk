# static.mk - the static release for one TARGET: musl, the libraries and weir, compiled file by file from here. Called by `make static`,
# from the top folder; the sources are in build/static/src (see fetch).

TARGET ?= x86_64
TRIPLE_x86_64  := x86_64-linux-gnu
TRIPLE_aarch64 := aarch64-linux-gnu
TRIPLE_armhf   := arm-linux-gnueabihf
TRIPLE_armel   := arm-linux-gnueabi
MACHINE_armhf  := -march=armv7-a -mfpu=vfpv3-d16 -mthumb
MACHINE_armel  := -march=armv5te -marm
# Counters of 64 bits there are gcc's own, in a library of its own.
LIBS_armel     = $(shell $(T)-gcc -print-file-name=libatomic.a)
# weir itself is compiled for speed, what it only starts with for size.
OPT_weir       ?= -O2
T   := $(TRIPLE_$(TARGET))
ifeq ($(T),)
$(error TARGET is one of x86_64 aarch64 armhf armel, not $(TARGET))
endif

Q   := $(if $(filter-out 0,$(V)),,@)
SRC := build/static/src
OUT := build/static/$(TARGET)
SYS := $(CURDIR)/$(OUT)/musl
MUSL_VERSION := $(shell cat $(SRC)/musl/VERSION)
VERSION := $(shell sed -n 's/^\#define VERSION "\(.*\)"/\1/p' agent/version.h)
DIST := dist/weir-$(VERSION)-linux-$(TARGET)

export REALGCC := $(T)-gcc
CC := $(SYS)/bin/musl-gcc
BASE := $(MACHINE_$(TARGET)) -ffunction-sections -fdata-sections -pthread -g0 -MMD -MP

all: $(DIST)

# ---- musl ------------------------------------------------------------------------------------------------------------------------

$(SYS)/ok: $(SRC)/musl/.version
	@echo '  MUSL  $(TARGET)'
	$(Q)rm -rf $(OUT)/musl-build $(SYS) && mkdir -p $(OUT)/musl-build
	$(Q)cd $(OUT)/musl-build && CC=$(T)-gcc AR=$(T)-ar RANLIB=$(T)-ranlib \
	    CFLAGS='-Os -ffunction-sections -fdata-sections $(MACHINE_$(TARGET))' \
	    $(CURDIR)/$(SRC)/musl/configure --target=$(T) --prefix=$(SYS) --syslibdir=$(SYS)/lib --disable-shared --enable-wrapper=gcc > log 2>&1 && \
	    $(MAKE) >> log 2>&1 && $(MAKE) install >> log 2>&1 || { tail -n 20 log; exit 1; }
	$(Q)for d in linux asm asm-generic; do \
	    for from in /usr/$(T)/include /usr/include/$(T) /usr/include; do \
	        if [ -d $$from/$$d ]; then ln -sfn $$from/$$d $(SYS)/include/$$d; break; fi; done; done
	@touch $@

# ---- libraries: NAME_files, NAME_flags ------------------------------------------------------------------------------------------------

mosquitto_files := $(wildcard $(SRC)/mosquitto/lib/*.c)
mosquitto_flags := -I$(SRC)/mosquitto/include -I$(SRC)/mosquitto/lib -I$(SRC)/mosquitto/deps -I$(SRC)/mosquitto -D_GNU_SOURCE \
                   -DWITH_THREADING -DWITH_UNIX_SOCKETS -DVERSION=\"static\"

cjson_files := $(SRC)/cjson/cJSON.c
cjson_flags :=

pcre2_leave := fuzzsupport jit_test jit_match jit_misc dftables printint ucptables
pcre2_files := $(filter-out $(pcre2_leave:%=$(SRC)/pcre2/src/pcre2_%.c),$(wildcard $(SRC)/pcre2/src/pcre2_*.c)) $(OUT)/pcre2/pcre2_chartables.c
pcre2_flags := -I$(OUT)/pcre2 -I$(SRC)/pcre2/src -DHAVE_CONFIG_H -DPCRE2_CODE_UNIT_WIDTH=8 -DSUPPORT_PCRE2_8 -DSUPPORT_UNICODE -DPCRE2_STATIC

lmdb_files := $(SRC)/lmdb/libraries/liblmdb/mdb.c $(SRC)/lmdb/libraries/liblmdb/midl.c
lmdb_flags := -Wno-implicit-fallthrough

lz4_files := $(SRC)/lz4/lib/lz4.c
lz4_flags :=

duktape_files := $(SRC)/duktape/src/duktape.c
duktape_flags :=

# SCRIPT=0: as in the Makefile.
SCRIPT     ?= 1
SCRIPT_OUT := $(filter 0,$(SCRIPT))
NOT_BUILT  := $(if $(SCRIPT_OUT),engine/expr/script_js.c engine/expr/script_steps.c,engine/expr/script_none.c)
LIBRARIES  := mosquitto cjson pcre2 lmdb lz4 $(if $(SCRIPT_OUT),,duktape)

# pcre2 and cJSON have their headers under names that only an installation gives them.
$(OUT)/headers.ok: $(SRC)/pcre2/.version $(SRC)/cjson/.version
	$(Q)mkdir -p $(OUT)/pcre2 $(OUT)/include/cjson
	$(Q)cp $(SRC)/pcre2/src/config.h.generic $(OUT)/pcre2/config.h
	$(Q)cp $(SRC)/pcre2/src/pcre2.h.generic $(OUT)/pcre2/pcre2.h
	$(Q)cp $(SRC)/pcre2/src/pcre2_chartables.c.dist $(OUT)/pcre2/pcre2_chartables.c
	$(Q)cp $(OUT)/pcre2/pcre2.h $(SRC)/lmdb/libraries/liblmdb/lmdb.h $(SRC)/lz4/lib/lz4.h $(SRC)/mosquitto/include/mosquitto.h \
	    $(wildcard $(SRC)/mosquitto/include/mqtt_protocol.h) \
	    $(SRC)/duktape/src/duktape.h $(SRC)/duktape/src/duk_config.h $(OUT)/include/
	$(Q)cp $(SRC)/cjson/cJSON.h $(OUT)/include/cjson/
	@touch $@
$(OUT)/pcre2/pcre2_chartables.c: $(OUT)/headers.ok ;

define library
$(1)_objects := $$(patsubst $(SRC)/%.c,$(OUT)/obj/%.o,$$(patsubst $(OUT)/%.c,$(OUT)/obj/%.o,$$($(1)_files)))
$$($(1)_objects): private FLAGS := -Os -w $$($(1)_flags)
ALL_OBJECTS += $$($(1)_objects)
endef
$(foreach l,$(LIBRARIES),$(eval $(call library,$(l))))

# ---- weir -------------------------------------------------------------------------------------------------------------------------

ROOMS := $(filter-out $(NOT_BUILT),$(wildcard agent/*.c engine/*.c engine/*/*.c ports/*.c))
WEIR  := $(ROOMS:%.c=$(OUT)/obj/weir/%.o)
$(WEIR): private FLAGS := $(OPT_weir) -std=c11 -D_GNU_SOURCE -DPCRE2_STATIC -DMUSL_VERSION='"$(MUSL_VERSION)"' -I. -I$(OUT)/include -Wall -Wextra

$(OUT)/obj/weir/%.o: %.c $(SYS)/ok $(OUT)/headers.ok
	@mkdir -p $(@D)
	@echo '  CC    $(TARGET) $<'
	$(Q)$(CC) $(BASE) $(FLAGS) -c -o $@ $<

$(OUT)/obj/%.o: $(SRC)/%.c $(SYS)/ok $(OUT)/headers.ok
	@mkdir -p $(@D)
	$(Q)$(CC) $(BASE) $(FLAGS) -c -o $@ $<

$(OUT)/obj/%.o: $(OUT)/%.c $(SYS)/ok
	@mkdir -p $(@D)
	$(Q)$(CC) $(BASE) $(FLAGS) -c -o $@ $<

$(DIST): $(WEIR) $(ALL_OBJECTS)
	@mkdir -p $(@D)
	@echo '  LINK  $@'
	$(Q)$(CC) $(BASE) -static -Wl,--gc-sections -o $@ $^ -lm $(LIBS_$(TARGET))
	$(Q)$(T)-strip $@
	@ls -l $@ | awk '{ print "  SIZE  $@ " $$5 " bytes" }'

-include $(WEIR:.o=.d)
.SECONDARY:
.DELETE_ON_ERROR:
