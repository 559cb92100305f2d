"""Joins two network interfaces by a bad line: it loses some packets and delays the others.

    roughLink.py NEAR FAR LOSS DELAY_MS JITTER_MS [PORT]

makes both interfaces, which last as long as it runs. It treats all packets alike, whatever they
carry, in each direction on its own: each is lost with the probability LOSS, or arrives DELAY_MS to
DELAY_MS + JITTER_MS later, evenly distributed. None overtakes another, as in a queue.

With PORT there is a firewall in the line: nothing passes it but TCP over IPv4 from NEAR to that port
at FAR, and what comes back. What it blocks, it does not answer.

It prints "ready", and then each second how many packets it took, lost and blocked, how many packets
of media came again as they had been, and how many with something else under the same numbers:
{"taken": 9, "lost": 1, "blocked": 0, "again": 0, "changed": 0}.
"""

import collections
import fcntl
import json
import os
import random
import select
import socket
import struct
import sys
import time

# From linux/if_tun.h: packets of IP alone, with no header before them.
TUNSETIFF = 0x400454CA
IFF_TUN = 0x0001
IFF_NO_PI = 0x1000

COUNTED = ("taken", "lost", "blocked", "again", "changed")

# For how many packets it remembers what stood under a sequence number: half a minute of a call.
REMEMBERED = 20000

# The most packets taken from an interface in a row, so that the other gets its turn.
BURST = 64


def make_interface(name):
    interface = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(interface, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
    return interface


def tcp_ports(packet):
    """The ports that a packet is from and to; neither if it is not TCP over IPv4."""
    header = 4 * (packet[0] & 0x0F)
    is_first_fragment = struct.unpack_from("!H", packet, 6)[0] & 0x1FFF == 0
    if packet[0] >> 4 != 4 or packet[9] != socket.IPPROTO_TCP or not is_first_fragment:
        return None, None
    return struct.unpack_from("!HH", packet, header)


def media_numbers(packet):
    """What makes the nonce of a packet of SRTP over IPv4 and UDP: ports, SSRC and sequence number."""
    header = 4 * (packet[0] & 0x0F)
    if packet[0] >> 4 != 4 or packet[9] != socket.IPPROTO_UDP or len(packet) < header + 20:
        return None
    first, kind = packet[header + 8], packet[header + 9]
    # RFC 7983 section 7, and RFC 5761 section 4 about RTCP.
    if not 128 <= first <= 191 or 192 <= kind <= 223:
        return None
    return packet[header : header + 4] + packet[header + 10 : header + 12] + packet[header + 16 : header + 20]


class Direction:
    def __init__(self, source, target, loss, delay, jitter, may_pass):
        self.source, self.target = source, target
        self.loss, self.delay, self.jitter = loss, delay, jitter
        self.may_pass = may_pass
        self.waiting = collections.deque()
        self.newest_due = 0.0
        self.taken = self.lost = self.blocked = self.again = self.changed = 0
        self.media = collections.OrderedDict()

    def note_media(self, packet):
        numbers = media_numbers(packet)
        if numbers is None:
            return
        content = hash(packet[4 * (packet[0] & 0x0F) + 8 :])
        before = self.media.get(numbers)
        if before is None:
            self.media[numbers] = content
            if len(self.media) > REMEMBERED:
                self.media.popitem(last=False)
        elif before == content:
            self.again += 1
        else:
            self.changed += 1

    def take(self, now):
        for _ in range(BURST):
            try:
                packet = os.read(self.source, 65535)
            except BlockingIOError:
                return
            self.taken += 1
            self.note_media(packet)
            if not self.may_pass(packet):
                self.blocked += 1
                continue
            if random.random() < self.loss:
                self.lost += 1
                continue
            due = now + self.delay + self.jitter * random.random()
            self.newest_due = max(self.newest_due, due)
            self.waiting.append((self.newest_due, packet))

    def deliver(self, now):
        while self.waiting and self.waiting[0][0] <= now:
            try:
                os.write(self.target, self.waiting.popleft()[1])
            except OSError:
                # The interface is down: what comes then is nobody's.
                pass


def go_first():
    """A machine that is busy with browsers must not look like a slow line."""
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    except OSError as error:
        print(f"the line is as busy as the machine: {error}", file=sys.stderr)


def main():
    go_first()
    near, far = (make_interface(name) for name in sys.argv[1:3])
    loss, delay, jitter = float(sys.argv[3]), float(sys.argv[4]) / 1e3, float(sys.argv[5]) / 1e3
    open_to, open_from = (lambda packet: True, lambda packet: True)
    if len(sys.argv) > 6:
        port = int(sys.argv[6])
        open_to = lambda packet: tcp_ports(packet)[1] == port
        open_from = lambda packet: tcp_ports(packet)[0] == port
    ways = [
        Direction(near, far, loss, delay, jitter, open_to),
        Direction(far, near, loss, delay, jitter, open_from),
    ]
    print("ready", flush=True)
    report_at = time.monotonic() + 1
    while True:
        dues = [way.waiting[0][0] for way in ways if way.waiting]
        patience = min([*dues, report_at]) - time.monotonic()
        ready, _, _ = select.select([near, far], [], [], max(0, patience))
        now = time.monotonic()
        for way in ways:
            if way.source in ready:
                way.take(now)
            way.deliver(now)
        if now >= report_at:
            counts = {what: sum(getattr(way, what) for way in ways) for what in COUNTED}
            print(json.dumps(counts), flush=True)
            report_at = now + 1


main()
