#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""A varlink client that has nothing of ours: plain sockets, after varlink.org's specification.

independent.py SOCKET: asks, and says what is not as it should be; nothing if all is well.
"""
import json
import re
import socket
import sys


class Connection:
    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(20)
        self.socket.connect(path)
        self.rest = b""

    def send(self, method, parameters=None, **flags):
        message = {"method": method, "parameters": parameters or {}, **flags}
        self.socket.sendall(json.dumps(message).encode() + b"\0")

    def reply(self):
        while b"\0" not in self.rest:
            more = self.socket.recv(65536)
            if not more:
                raise EOFError
            self.rest += more
        message, self.rest = self.rest.split(b"\0", 1)
        return json.loads(message)

    def call(self, method, parameters=None, **flags):
        self.send(method, parameters, **flags)
        return self.reply()


def expect(what, condition):
    if not condition:
        print(what)


def main():
    path = sys.argv[1]
    c = Connection(path)
    info = c.call("org.varlink.service.GetInfo")["parameters"]
    expect("GetInfo lacks a field", set(info) == {"vendor", "product", "version", "url", "interfaces"})
    for name in info["interfaces"]:
        text = c.call("org.varlink.service.GetInterfaceDescription", {"interface": name})["parameters"]["description"]
        expect(f"{name} does not describe itself", re.search(rf"^interface {re.escape(name)}$", text, re.M))
        for method in re.findall(r"^method (\w+)", text, re.M):
            error = Connection(path).call(f"{name}.{method}", {"no such": 1}).get("error", "")
            expect(f"{name}.{method}: {error}", error == "org.varlink.service.InvalidParameter")
    vms = c.call("io.kvmencstat.List", {"all": True})["parameters"]["vms"]
    expect("List has no VM", len(vms) > 0)
    for vm in vms:
        one = c.call("io.kvmencstat.Map", {"vm": str(vm["id"])})["parameters"]["map"]
        pages = sum(r["npages"] for r in one["ranges"] if r["state"] == "shared")
        expect(f"VM {vm['id']}: map and list differ", pages == vm["pages"]["shared"])
    # calls in one piece, of which one wants no reply
    c.send("io.kvmencstat.Status", oneway=True)
    c.send("io.kvmencstat.Nope")
    expect("an error has another name", c.reply()["error"] == "org.varlink.service.MethodNotFound")
    # a stream of replies, and one that becomes a capture
    c.send("io.kvmencstat.Events", more=True)
    s = Connection(path)
    expect("Stream is refused", s.call("io.kvmencstat.Stream", upgrade=True) == {"parameters": {}})
    while len(s.rest) < 8:
        s.rest += s.socket.recv(65536)
    expect("Stream is no capture", s.rest.startswith(b"KESCAP\r\n"))
    s.socket.sendall(b"more")
    try:
        while s.socket.recv(65536):
            pass
        expect("who talks into a stream is kept", True)
    except ConnectionResetError:
        pass


main()
