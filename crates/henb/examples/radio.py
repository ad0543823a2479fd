#!/usr/bin/env python3
"""A vendor's side of henbd's `command` device, as small as it can be: a radio that is only pretended.

    radio.py FILE -- OPERATION [ARGUMENT...]   one operation; what the radio knows is kept in FILE
    radio.py FILE SOCKET                       a process that listens on SOCKET, and tells by itself what changes

docs/how-to/drive-a-radio.md describes the protocol. Python's standard library is enough.
"""

import json
import os
import socket
import sys

CELL = "Device.Services.FAPService.1."
ADMIN = CELL + "FAPControl.LTE.AdminState"
PCI = CELL + "CellConfig.LTE.RAN.RF.PhyCellID"


class Refused(Exception):
    """An operation that the radio does not carry out: nothing has changed."""


class Radio:
    def __init__(self, file):
        self.file = file
        self.values, self.air, self.calls = {}, "on", 0
        if os.path.exists(file):
            with open(file, encoding="utf-8") as stored:
                self.values, self.air, self.calls = json.load(stored)

    def save(self):
        with open(self.file + ".new", "w", encoding="utf-8") as stored:
            json.dump([self.values, self.air, self.calls], stored)
        os.replace(self.file + ".new", self.file)

    def news(self):
        """What is true of the radio now; henbd finds out for itself what of it is new."""
        up = self.air == "on" and self.values.get(ADMIN) == "true"
        told = {CELL + "FAPControl.LTE.OpState": up, CELL + "FAPControl.LTE.RFTxStatus": up}
        return {"values": told, "link": True}

    def do(self, operation, arguments, values):
        """Carries one operation out, whole or not at all."""
        self.calls += 1
        if operation == "start":
            self.values, self.air = values, arguments[0]
        elif operation == "set":
            self.check(values)
            self.values.update(values)
        elif operation == "add":
            self.values.update(values)
        elif operation == "delete":
            self.values = {path: value for path, value in self.values.items() if not path.startswith(arguments[0])}
        elif operation == "air":
            self.air = arguments[0]
        elif operation == "boot" and arguments[1]:
            with open(arguments[1], "rb") as image:
                if not image.read().startswith(b"RADIO "):
                    raise Refused({"code": 9018, "text": "this is no image of ours"})
        elif operation == "measure":
            attempts = {"object": "ENBFunction=1,EUtranGenericCell=1", "counter": "RRC.ConnEstabAtt.Sum", "value": self.calls}
            return {"measurements": [attempts]}
        elif operation not in ("get", "poll", "reboot", "boot", "factory-reset"):
            raise Refused({"code": 9002, "text": "unknown operation " + operation})
        return self.news()

    def check(self, values):
        for cell in values.get(PCI, "").split(","):
            if cell and not (cell.isdigit() and int(cell) <= 503):
                bad = {"name": PCI, "code": 9007, "text": "0 to 503 is right"}
                raise Refused({"parameters": [bad]})

    def answer(self, request):
        try:
            answer = self.do(request["operation"], request["arguments"], request["values"])
        except Refused as refused:
            answer = {"fault": refused.args[0]}
        self.save()
        return answer


def listen(radio, path):
    if os.path.exists(path):
        os.remove(path)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(1)
        print("listening", flush=True)
        while True:
            connection, _ = listener.accept()
            with connection, connection.makefile("rw", encoding="utf-8") as lines:
                serve(radio, lines)


def serve(radio, lines):
    for line in lines:
        request = json.loads(line)
        answer = radio.answer(request)
        if "values" in answer:
            # A process tells what changes by itself: a line without an id.
            print(json.dumps(radio.news()), file=lines)
            answer = {}
        print(json.dumps({"id": request["id"], **answer}), file=lines, flush=True)


def main(file, *rest):
    radio = Radio(file)
    if rest[0] == "--":
        print(json.dumps(radio.answer(json.load(sys.stdin))))
    else:
        listen(radio, rest[0])


if __name__ == "__main__":
    main(*sys.argv[1:])
