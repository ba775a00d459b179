#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""A report in headless Chromium, over the DevTools protocol on pipes: browse.py PAGE VM SHARED

Prints "ok WHAT" or "not WHAT" for each thing tried."""
import json, os, signal, subprocess, sys, tempfile, time

page, vm, shared = os.path.abspath(sys.argv[1]), sys.argv[2], sys.argv[3]
signal.alarm(120)
profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
to_read, to_write = os.pipe()
from_read, from_write = os.pipe()


def pipes():
    a, b = os.dup(to_read), os.dup(from_write)
    os.dup2(a, 3)
    os.dup2(b, 4)


chromium = subprocess.Popen(
    ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
     "--disable-background-networking", "--disable-component-update", "--disable-sync",
     "--user-data-dir=" + profile.name, "--remote-debugging-pipe", "--window-size=1280,900", "about:blank"],
    preexec_fn=pipes, close_fds=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
os.close(to_read)
os.close(from_write)
number, buffer, complaints, loaded, session = 0, b"", [], False, None


def receive():
    global buffer, loaded
    while b"\0" not in buffer:
        got = os.read(from_read, 65536)
        if not got:
            sys.exit("the browser ended")
        buffer += got
    text, buffer = buffer.split(b"\0", 1)
    message = json.loads(text)
    if message.get("method") in ("Runtime.exceptionThrown", "Log.entryAdded", "Runtime.consoleAPICalled"):
        complaints.append(json.dumps(message["params"])[:300])
    loaded |= message.get("method") == "Page.loadEventFired"
    return message


def call(method, **params):
    global number
    number += 1
    message = {"id": number, "method": method, "params": params}
    if session:
        message["sessionId"] = session
    os.write(to_write, json.dumps(message).encode() + b"\0")
    while True:
        got = receive()
        if got.get("id") == number:
            if "error" in got:
                sys.exit(method + ": " + got["error"]["message"])
            return got["result"]


def value(expression):
    got = call("Runtime.evaluate", expression=expression, returnByValue=True)
    return got["result"].get("value", got.get("exceptionDetails"))


def tell(what, good, got=""):
    print(("ok " if good else "not ") + what + ("" if good else ": " + str(got)), flush=True)


try:
    target = call("Target.createTarget", url="about:blank")["targetId"]
    session = call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
    for domain in ("Page", "Runtime", "Log"):
        call(domain + ".enable")
    call("Page.navigate", url="file://" + page)
    while not loaded:
        receive()
    figure = "document.querySelector('figure.map[data-vm=\"%s\"]')" % vm
    get = lambda what: value("%s.querySelector('%s')" % (figure, what))
    sums = figure + ".querySelector('.sums')"
    got = value(sums + ".dataset.shared")
    tell("the last position has what list says is shared", got == shared, "%s, not %s" % (got, shared))
    steps = int(value(figure + ".querySelector('input[type=range]').max"))
    tell("the slider has many positions", steps >= 5, steps)
    value(figure + ".querySelector('input[type=range]').focus()")
    before = value(figure + ".querySelector('.when').textContent")
    for key in ("Home",):
        for kind in ("keyDown", "keyUp"):
            call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=36)
    after = value(figure + ".querySelector('.when').textContent")
    tell("a key moves the slider to its begin", before != after and "(1 of" in after, after)
    got = value(sums + ".dataset.shared")
    tell("nothing is shared at the begin", got == "0", got)
    for kind in ("keyDown", "keyUp"):
        call("Input.dispatchKeyEvent", type=kind, key="End", code="End", windowsVirtualKeyCode=35)
    got = value(sums + ".dataset.shared")
    tell("and back", got == shared, got)
    value(figure + ".querySelector('.stage canvas').scrollIntoView({block: 'center', behavior: 'instant'})")
    # Not before the page was laid out where it was scrolled to: until it hears of it.
    deadline = time.monotonic() + 10
    got = ""
    while not got.startswith("Range 0x") and time.monotonic() < deadline:
        box = value("(() => { const r = %s.querySelector('.stage canvas').getBoundingClientRect(); return [r.left, r.top, r.width]; })()" % figure)
        for off in (12, 10):
            call("Input.dispatchMouseEvent", type="mouseMoved", x=box[0] + box[2] - off, y=box[1] + 5)
        got = value(figure + ".querySelector('.cell').textContent")
    tell("hovering tells range, cell and last change",
         got.startswith("Range 0x") and "Cell 0x" in got and "Last change" in got, got)
    value("document.querySelector('nav a[href=\"#vm-%s\"]').click()" % vm)
    got = value("[location.hash, document.querySelector(':target').id]")
    tell("an anchor leads to the VM", got == ["#vm-" + vm, "vm-" + vm], got)
    got = value("[...document.querySelectorAll('a[href^=\"#\"]')].filter(a => !document.getElementById(a.hash.slice(1))).map(a => a.hash)")
    tell("all anchors lead somewhere", got == [], got)
    got = value("[...document.querySelectorAll('svg')].every(s => s.querySelector('desc').textContent.length > 10)")
    tell("pictures have text alternatives", got is True, got)
    got = value("performance.getEntriesByType('resource').filter(e => !e.name.startsWith('data:')).map(e => e.name)")
    tell("nothing else is loaded", got == [], got)
    tell("no complaints on the console", not complaints, complaints)
finally:
    chromium.terminate()
    chromium.wait(20)
