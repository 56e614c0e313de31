"""The SMSCs of jasmin's source package that misbehave on purpose, one a port.

    python misbehaving.py SMSC_SIMULATOR.PY CLASS...

Journal and end as in scenarios.mjs. The classes are jasmin's; they are loaded from where pip unpacked them.
"""

import importlib.util
import json
import struct
import sys
import threading

from twisted.internet import reactor
from twisted.internet.protocol import Factory

NAMES = {
    0x80000000: "generic_nack", 0x1: "bind_receiver", 0x2: "bind_transmitter", 0x9: "bind_transceiver",
    0x4: "submit_sm", 0x6: "unbind", 0x80000006: "unbind_resp", 0x80000005: "deliver_sm_resp",
    0x15: "enquire_link", 0x80000015: "enquire_link_resp", 0x80000103: "data_sm_resp", 0x80000003: "query_sm_resp",
}


def journal(name, **fields):
    sys.stdout.write(json.dumps({"name": name, **fields}) + "\n")
    sys.stdout.flush()


def wrapped(name, kind):
    class Journaled(kind):
        def connectionMade(self):
            journal(name, event="connected")
            super().connectionMade()

        def connectionLost(self, reason):
            journal(name, event="closed")
            super().connectionLost(reason)

        def rawMessageReceived(self, message):
            _, command, status, sequence = struct.unpack("!LLLL", message[:16])
            journal(name, heard=NAMES.get(command, hex(command)), status=status, sequence=sequence)
            try:
                return super().rawMessageReceived(message)
            except Exception as error:
                journal(name, error=f"{type(error).__name__}: {error}")

    return Journaled


def main():
    spec = importlib.util.spec_from_file_location("smsc_simulator", sys.argv[1])
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    ports = {}
    for name in sys.argv[2:]:
        factory = Factory.forProtocol(wrapped(name, getattr(module, name)))
        ports[name] = reactor.listenTCP(0, factory, interface="127.0.0.1").getHost().port

    def watch():
        sys.stdin.read()
        reactor.callFromThread(reactor.stop)

    threading.Thread(target=watch, daemon=True).start()
    sys.stdout.write(json.dumps({"ports": ports}) + "\n")
    sys.stdout.flush()
    reactor.run()


main()
