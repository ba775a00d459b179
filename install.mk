# SPDX-License-Identifier: GPL-2.0-only
# Where things go on a host. `make install` is all of it, `make uninstall` takes it away again but for the
# configuration; `make deb` (debian/) installs by it, too.
#
#   DESTDIR= PREFIX=/usr/local SYSCONFDIR=/etc UNITDIR=$(PREFIX)/lib/systemd/system

DESTDIR    ?=
SYSCONFDIR ?= /etc
SBINDIR    ?= $(PREFIX)/sbin
LIBEXECDIR ?= $(PREFIX)/libexec
UNITDIR    ?= $(PREFIX)/lib/systemd/system
ZSHDIR     ?= $(PREFIX)/share/zsh/site-functions
LIBDIR     := $(PREFIX)/lib
SHAREDIR   := $(PREFIX)/share
DOCDIR     := $(SHAREDIR)/doc/kvm-encstat
CONFIGDIR  := $(SYSCONFDIR)/kvm-encstat
GATESRC    := $(PREFIX)/src/kvm-encstat-gate-$(VERSION)

# in FOLDER, FILES, MODE: what is to be installed, as MODE:FILE:FOLDER
in = $(patsubst %,$(3):%:$(1),$(wildcard $(2)))
# below FOLDER, ROOT: the files under ROOT, each in its own folder under FOLDER
below = $(foreach file,$(shell cd $(2) 2>/dev/null && find . -type f | sort),644:$(2)/$(file):$(1)/$(dir $(file)))

# Units name the paths of a package.
UNITS := $(patsubst units/%,$(B)/units/%,$(wildcard $(foreach kind,service socket timer slice target path,units/*.$(kind)) units/*.d/*.conf))
UNITS := $(filter-out $(B)/units/sysusers.d/% $(B)/units/tmpfiles.d/%,$(UNITS))

$(B)/units/%: units/% FORCE
	$(Q)mkdir -p $(@D) && sed 's|/usr/sbin/|$(SBINDIR)/|g; s|/usr/libexec/|$(LIBEXECDIR)/|g; s|/etc/kvm-encstat|$(CONFIGDIR)|g' $< >$@

# What they know comes from the program.
COMPLETIONS := $(B)/completions/kvm-encstat $(B)/completions/_kvm-encstat
$(B)/completions/kvm-encstat: completions/kvm-encstat.bash
$(B)/completions/_kvm-encstat: completions/kvm-encstat.zsh
$(COMPLETIONS): $(B)/kvm-encstat
	$(call say,MAKE,$@)mkdir -p $(@D) && $(B)/kvm-encstat --table >$@.table && \
		sed -e '/^@TABLE@$$/{' -e 'r $@.table' -e 'd' -e '}' $(filter completions/%,$^) >$@ && rm $@.table

all: $(COMPLETIONS)

INSTALLED = \
	755:$(B)/kvm-encstat:$(SBINDIR) \
	$(call in,$(LIBEXECDIR),$(B)/kvm-encstat-exporter,755) \
	$(foreach n,5 7 8,$(call in,$(SHAREDIR)/man/man$(n),man/*.$(n),644)) \
	$(foreach unit,$(UNITS),644:$(unit):$(UNITDIR)/$(patsubst $(B)/units/%,%,$(dir $(unit)))) \
	$(call in,$(LIBDIR)/sysusers.d,units/sysusers.d/*.conf,644) \
	$(call in,$(LIBDIR)/tmpfiles.d,units/tmpfiles.d/*.conf,644) \
	$(call in,$(LIBDIR)/systemd/catalog,units/catalog/*.catalog,644) \
	644:$(B)/completions/kvm-encstat:$(SHAREDIR)/bash-completion/completions \
	644:$(B)/completions/_kvm-encstat:$(ZSHDIR) \
	$(call in,$(DOCDIR),README.md docs/*.md docs/*.svg docs/*.png,644) \
	$(call in,$(GATESRC),gate/unpack-vmlinux,755) \
	$(call in,$(GATESRC),gate/Kbuild gate/Makefile gate/dkms.conf gate/*.c gate/README.md,644) \
	$(call below,$(SHAREDIR)/kvm-encstat,units/share)

# The operator's own from then on.
CONFIGURATION = $(call below,$(CONFIGDIR),units/etc)

mode_of   = $(word 1,$(subst :, ,$(1)))
file_of   = $(word 2,$(subst :, ,$(1)))
folder_of = $(word 3,$(subst :, ,$(1)))

install: all $(UNITS)
	$(Q)$(MAKE) --no-print-directory copy

# A make of its own, whose wildcards see what was built.
copy:
	$(Q)set -e; $(foreach each,$(INSTALLED),install -D -m $(call mode_of,$(each)) -t '$(DESTDIR)$(call folder_of,$(each))' '$(call file_of,$(each))';)
	$(Q)install -d '$(DESTDIR)$(CONFIGDIR)/conf.d' '$(DESTDIR)$(CONFIGDIR)/policy.d'
	$(Q)set -e; $(foreach each,$(CONFIGURATION),test -e '$(DESTDIR)$(call folder_of,$(each))$(notdir $(call file_of,$(each)))' || \
		install -D -m $(call mode_of,$(each)) -t '$(DESTDIR)$(call folder_of,$(each))' '$(call file_of,$(each))';)

uninstall: $(UNITS)
	$(Q)$(foreach each,$(INSTALLED),rm -f '$(DESTDIR)$(call folder_of,$(each))/$(notdir $(call file_of,$(each)))';)
	$(Q)rmdir -p --ignore-fail-on-non-empty $(foreach each,$(sort $(GATESRC) $(DOCDIR) $(SHAREDIR)/kvm-encstat),'$(DESTDIR)$(each)') 2>/dev/null || :

.PHONY: install copy uninstall FORCE

# Debian's packages, in build/deb. Built in a copy: debhelper leaves much behind.
deb:
	$(Q)rm -rf $(B)/deb && mkdir -p $(B)/deb/kvm-encstat-$(VERSION)
	$(Q)tar -c --exclude=./$(B) --exclude=./.git . | tar -x -C $(B)/deb/kvm-encstat-$(VERSION)
	$(Q)cd $(B)/deb/kvm-encstat-$(VERSION) && dpkg-buildpackage -b -us -uc >../build.log 2>&1 || { tail -n 30 ../build.log; exit 1; }
	$(Q)rm -rf $(B)/deb/kvm-encstat-$(VERSION)
	$(Q)ls $(B)/deb/*.deb

.PHONY: deb
