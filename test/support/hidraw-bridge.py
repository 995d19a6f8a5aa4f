"""The hidraw device of a YubiKey in a umockdev test bed; its feature reports go over standard output and input.

Says "ROOT <folder>" once, then a line for each ioctl: "SET <hex>" or "GET <length>". The answer is a line: hex, "ok" or "gone".
A line "plug" or "unplug" on file descriptor 3 plugs the device in or pulls it out; it is answered with "DONE" on 3. Ends with its input.
"""

import errno
import os
import sys
import threading

import gi

gi.require_version("UMockdev", "1.0")
from gi.repository import GLib, UMockdev  # noqa: E402

# Usage page 1, usage 6, eight bytes of feature report: the keyboard interface of the key.
DESCRIPTOR = bytes.fromhex(
    "05010906a101050719e029e71500250175019508810295017508810195057501050819012905910295017503910195067508150025e7050719002ae70081000903750895"
    "08b102c0"
)
USB = "/devices/pci0000:00/0000:00:14.0/usb1/1-1"
INTERFACE = USB + "/1-1:1.0"
class Plugged:
    """One plug: the kernel counts devices as they come, and the test bed takes each node once."""

    def __init__(self, number):
        self.node = f"hidraw{number}"
        self.hid_name = f"0003:1050:0407.{number + 1:04d}"
        self.hid = f"{INTERFACE}/{self.hid_name}"
        self.raw = f"{self.hid}/hidraw/{self.node}"
        self.text = f"""P: {USB}
E: SUBSYSTEM=usb
E: DEVTYPE=usb_device
A: idVendor=1050
A: idProduct=0407
A: bcdDevice=0543
A: manufacturer=Yubico
A: product=YubiKey OTP+FIDO+CCID

P: {INTERFACE}
E: SUBSYSTEM=usb
E: DEVTYPE=usb_interface
A: bInterfaceNumber=00

P: {self.hid}
E: SUBSYSTEM=hid
E: HID_ID=0003:00001050:00000407
E: HID_NAME=Yubico YubiKey OTP+FIDO+CCID
E: HID_UNIQ=
E: DRIVER=hid-generic
A: uevent=DRIVER=hid-generic\\nHID_ID=0003:00001050:00000407\\nHID_NAME=Yubico YubiKey OTP+FIDO+CCID\\nHID_PHYS=\\nHID_UNIQ=\\nMODALIAS=hid:b0003g0001v00001050p00000407
H: report_descriptor={DESCRIPTOR.hex().upper()}

P: {self.raw}
N: {self.node}
E: SUBSYSTEM=hidraw
E: DEVNAME=/dev/{self.node}
E: MAJOR=240
E: MINOR={number}
A: dev=240:{number}
L: device=../../../{self.hid_name}
"""


GET_DESCRIPTOR_SIZE = 0x01
GET_DESCRIPTOR = 0x02
SET_FEATURE = 0x06
GET_FEATURE = 0x07

talking = threading.Lock()


def ask(line):
    with talking:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
        return sys.stdin.readline().strip()


def on_ioctl(_base, client):
    request = client.get_request()
    number, length = request & 0xFF, (request >> 16) & 0x3FFF
    arg = client.get_arg()
    if number == GET_DESCRIPTOR_SIZE:
        data = arg.resolve(0, 4)
        data.update(0, list(len(DESCRIPTOR).to_bytes(4, sys.byteorder)))
        client.complete(0, 0)
    elif number == GET_DESCRIPTOR:
        data = arg.resolve(0, 4 + 4096)
        data.update(4, list(DESCRIPTOR))
        client.complete(0, 0)
    elif number == SET_FEATURE:
        data = arg.resolve(0, length)
        report = bytes(data.retrieve())
        answer = ask("SET " + report[1:].hex())
        client.complete(*((-1, errno.ENODEV) if answer == "gone" else (length, 0)))
    elif number == GET_FEATURE:
        data = arg.resolve(0, length)
        answer = ask(f"GET {length - 1}")
        if answer == "gone":
            client.complete(-1, errno.ENODEV)
        else:
            data.update(0, list(b"\0" + bytes.fromhex(answer)))
            client.complete(length, 0)
    else:
        client.complete(-1, errno.ENOTTY)
    return True


bed = UMockdev.Testbed.new()
base = UMockdev.IoctlBase()
base.connect("handle-ioctl", on_ioctl)


plugs = []


def plug():
    plugs.append(Plugged(len(plugs)))
    bed.add_from_string(plugs[-1].text)
    bed.attach_ioctl(f"/dev/{plugs[-1].node}", base)


def unplug():
    bed.detach_ioctl(f"/dev/{plugs[-1].node}")
    for device in (plugs[-1].raw, plugs[-1].hid, INTERFACE, USB):
        bed.remove_device("/sys" + device)


def on_control(fd, _condition):
    line = os.read(fd, 64).decode().strip()
    if line == "":
        loop.quit()
        return False
    if line == "plug":
        plug()
    else:
        unplug()
    os.write(fd, b"DONE\n")
    return True


loop = GLib.MainLoop()
plug()
GLib.unix_fd_add_full(GLib.PRIORITY_DEFAULT, 3, GLib.IOCondition.IN | GLib.IOCondition.HUP, on_control)
sys.stdout.write("ROOT " + bed.get_root_dir() + "\n")
sys.stdout.flush()
loop.run()
