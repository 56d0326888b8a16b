"""Cyclone's IDL types for ROS 2 interfaces, and values of them as plain dictionaries."""

from pathlib import Path
from typing import Any, Dict, List, Optional

from cyclonedds import idl
from cyclonedds.idl import types as t

from .definitions import Field, load

_PRIMITIVES = {
    "bool": bool,
    "byte": t.uint8,
    "char": t.uint8,
    "int8": t.int8,
    "uint8": t.uint8,
    "int16": t.int16,
    "uint16": t.uint16,
    "int32": t.int32,
    "uint32": t.uint32,
    "int64": t.int64,
    "uint64": t.uint64,
    "float32": t.float32,
    "float64": t.float64,
    "string": str,
}

_OCTETS = ("byte", "char", "uint8")


def dds_name(name: str) -> str:
    """`sensor_msgs/msg/Image` as DDS announces it: `sensor_msgs::msg::dds_::Image_`."""
    package, kind, base = name.split("/")
    return f"{package}::{kind}::dds_::{base}_"


class Types:
    """All interfaces below `roots`, made into Cyclone types when first asked for.

    Values are dictionaries as in JSON; fields that are left out have their defaults; `uint8[]` is
    bytes or a list.
    """

    def __init__(self, roots: Optional[List[Path]] = None):
        self.structures = load(roots)
        self._classes: Dict[str, type] = {}
        self._framed: Dict[str, type] = {}

    def cls(self, name: str) -> type:
        """The type of a structure."""
        if name not in self._classes:
            fields = {f.name: self._annotation(f) for f in self.structures[name].fields}
            self._classes[name] = idl.make_idl_struct(name.split("/")[-1], dds_name(name), fields)
        return self._classes[name]

    def framed(self, name: str) -> type:
        """A request or response on the wire: rmw_cyclonedds puts the client's id before it."""
        if name not in self._framed:
            fields = {"header_client": t.uint64, "header_sequence": t.int64}
            fields |= {f.name: self._annotation(f) for f in self.structures[name].fields}
            self._framed[name] = idl.make_idl_struct(name.split("/")[-1], dds_name(name), fields)
        return self._framed[name]

    def _annotation(self, field: Field) -> Any:
        if field.base in _PRIMITIVES:
            element = _PRIMITIVES[field.base]
            if field.string_bound:
                element = t.bounded_str[field.string_bound]
        else:
            element = self.cls(field.base)
        if field.shape == "array":
            return t.array[element, field.size]
        if field.shape == "sequence":
            return t.sequence[element, field.size] if field.size else t.sequence[element]
        return element

    def make(self, name: str, value: Optional[Dict[str, Any]] = None) -> Any:
        """An instance from a dictionary."""
        value = dict(value or {})
        members = {}
        for field in self.structures[name].fields:
            members[field.name] = self._member(field, value.pop(field.name, None))
        if value:
            raise KeyError(f"{name} has no field {', '.join(value)}")
        return self.cls(name)(**members)

    def _member(self, field: Field, value: Any) -> Any:
        if value is None:
            value = field.default
        if field.shape == "single":
            return self._element(field, value)
        if value is None:
            value = [None] * field.size if field.shape == "array" else []
        if field.base in _OCTETS:
            return [v or 0 for v in value]
        return [self._element(field, v) for v in value]

    def _element(self, field: Field, value: Any) -> Any:
        if field.base not in _PRIMITIVES:
            return self.make(field.base, value)
        if value is not None:
            return value
        return {"string": "", "bool": False}.get(
            field.base, 0.0 if field.base.startswith("float") else 0
        )

    def value(self, name: str, instance: Any) -> Dict[str, Any]:
        """An instance as a dictionary."""
        result = {}
        for field in self.structures[name].fields:
            member = getattr(instance, field.name)
            if field.base not in _PRIMITIVES:
                if field.shape == "single":
                    member = self.value(field.base, member)
                else:
                    member = [self.value(field.base, m) for m in member]
            elif field.shape != "single":
                member = list(member)
            result[field.name] = member
        return result

    def encode(self, name: str, value: Optional[Dict[str, Any]] = None) -> bytes:
        """A dictionary as CDR with its header."""
        return bytes(self.make(name, value).serialize(use_version_2=False))

    def decode(self, name: str, data: bytes) -> Dict[str, Any]:
        """CDR with its header as a dictionary."""
        return self.value(name, self.cls(name).deserialize(data))
