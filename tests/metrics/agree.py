#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Whether metrics say of each VM what `list --all --json` says of it.

agree.py LIST METRICS: prints what differs, or how much was compared. Both are of the same moment, or of
VMs that stand still.
"""
import json
import re
import sys

LINE = re.compile(r'([a-z_]+)\{(.*)\} ([0-9.]+)$')
LABEL = re.compile(r'([a-z_]+)="((?:[^"\\]|\\.)*)"')


def read(path):
    """By id of the VM: a list of (name, labels, value)."""
    series = {}
    for line in open(path, encoding='utf-8'):
        found = LINE.match(line)
        if not found or not found[1].startswith('kvm_encstat_vm_'):
            continue
        labels = {k: re.sub(r'\\(.)', r'\1', v) for k, v in LABEL.findall(found[2])}
        series.setdefault(labels['id'], []).append((found[1][len('kvm_encstat_vm_'):], labels, float(found[3])))
    return series


class Vm:
    def __init__(self, vm, series):
        self.vm, self.series, self.compared, self.wrong = vm, series, 0, []

    def values(self, name, **labels):
        return [value for n, have, value in self.series
                if n == name and all(re.fullmatch(want, have[k]) for k, want in labels.items())]

    def same(self, what, want, got):
        self.compared += 1
        if want != got:
            self.wrong.append(f"VM {self.vm['id']}: {what}: listed {want}, metrics {got}")

    def total(self, want, name, **labels):
        """The sum of these series; None: there is none."""
        values = self.values(name, **labels)
        self.same(f'{name} {labels}', want, sum(values) if values else None)

    def plane(self, plane, about):
        for state in ('private', 'shared', 'unknown'):
            want = about['pages'][state] * 4096 if about and self.vm['alive'] else None
            self.total(want, 'pages_bytes', plane=plane, state=state)
        holds = [labels['kvm_encstat_vm_confidence'] for name, labels, value in self.series
                 if name == 'confidence' and labels['plane'] == plane and value == 1]
        self.same(f'confidence {plane}', [about['confidence']] if about and self.vm['alive'] else [], holds)

    def compare(self):
        vm = self.vm
        about = [labels for name, labels, _ in self.series if name == 'info'][0]
        self.same('name', vm['name'].encode()[:128].decode(errors='ignore'), about['vm'])
        self.same('type', vm['type'], about['type'])
        self.same('uuid', vm.get('uuid', ''), about['uuid'])
        self.plane('guest', vm if vm['has_map'] else None)
        self.plane('host', vm.get('host'))
        known = vm['alive'] and vm['memory_pages']
        self.total(vm['memory_pages'] * 4096 if known else None, 'memory_bytes')
        self.total(vm['lost'], 'records_lost_total', cause='(?!counts_full).*')
        self.total(vm['converted'], 'conversions_total')
        for key, cause in (('denied', 'denied'), ('unanswered', 'unanswered'), ('no_answer', 'unseen'),
                           ('refused', 'refused_.*')):
            self.total(vm[key], 'conversions_failed_total', cause=cause)
        self.total(vm['faults'], 'memory_faults_total')
        self.total(vm['open'], 'requests_open')
        self.total(vm['resets'], 'resets_total')
        if vm['alive']:
            self.total(vm.get('vcpus'), 'vcpus')
        if 'host' in vm:
            self.total(vm['host']['changes'], 'attribute_changes_total')
            self.total(vm['host']['uncommitted'], 'conversions_uncommitted_total')
        alone = 'exits' in vm
        exits = sum(vm['exits'].values()) + sum(vm['exit_errors'].values()) if alone else None
        self.total(exits, 'exits_total')
        self.total(sum(vm['hypercalls'].values()) if alone else None, 'hypercalls_total')


def main():
    series = read(sys.argv[2])
    vms = compared = 0
    wrong = []
    for line in open(sys.argv[1], encoding='utf-8'):
        listed = json.loads(line)
        if not listed['alive'] and str(listed['id']) not in series:
            continue # it ended long ago
        vm = Vm(listed, series.get(str(listed['id']), []))
        if not vm.series:
            wrong.append(f"VM {listed['id']} is not in the metrics")
            continue
        vm.compare()
        vms, compared, wrong = vms + 1, compared + vm.compared, wrong + vm.wrong
    print('\n'.join(wrong) if wrong else f'{vms} VMs agree in {compared} figures')
    return 1 if wrong else 0


sys.exit(main())
