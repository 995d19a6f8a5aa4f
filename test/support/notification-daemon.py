"""A notification daemon of the freedesktop specification on the session bus; writes a line of JSON for each call into the file it is given."""

import json
import sys

import gi

gi.require_version("Gio", "2.0")
from gi.repository import Gio, GLib  # noqa: E402

NAME = "org.freedesktop.Notifications"
INTERFACE = """
<node><interface name="org.freedesktop.Notifications">
  <method name="Notify">
    <arg type="s" direction="in"/><arg type="u" direction="in"/><arg type="s" direction="in"/><arg type="s" direction="in"/>
    <arg type="s" direction="in"/><arg type="as" direction="in"/><arg type="a{sv}" direction="in"/><arg type="i" direction="in"/>
    <arg type="u" direction="out"/>
  </method>
  <method name="CloseNotification"><arg type="u" direction="in"/></method>
</interface></node>
"""

last = 0


def on_call(_connection, _sender, _path, _interface, method, parameters, invocation):
    global last
    values = parameters.unpack()
    with open(sys.argv[1], "a", encoding="utf-8") as file:
        file.write(json.dumps({"method": method, "values": values}) + "\n")
    if method == "Notify":
        last = values[1] or last + 1
        invocation.return_value(GLib.Variant("(u)", (last,)))
    else:
        invocation.return_value(None)


def on_bus(connection, _name):
    interface = Gio.DBusNodeInfo.new_for_xml(INTERFACE).interfaces[0]
    connection.register_object("/org/freedesktop/Notifications", interface, on_call, None, None)


Gio.bus_own_name(Gio.BusType.SESSION, NAME, Gio.BusNameOwnerFlags.NONE, on_bus, None, None)
GLib.MainLoop().run()
