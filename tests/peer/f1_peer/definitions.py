"""Reads .msg, .srv and .action files."""

import ast
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, List, Optional

PRIMITIVES = {
    "bool",
    "byte",
    "char",
    "int8",
    "uint8",
    "int16",
    "uint16",
    "int32",
    "uint32",
    "int64",
    "uint64",
    "float32",
    "float64",
    "string",
}

UUID = "unique_identifier_msgs/msg/UUID"
TIME = "builtin_interfaces/msg/Time"


@dataclass
class Field:
    """One field: `base` is a primitive or a full name; `shape` is single, array or sequence."""

    name: str
    base: str
    shape: str = "single"
    size: Optional[int] = None
    string_bound: Optional[int] = None
    default: Any = None


@dataclass
class Structure:
    """A message, or a part of a service or an action."""

    name: str
    fields: List[Field] = field(default_factory=list)


_TYPE = re.compile(
    r"^(?P<base>[A-Za-z][A-Za-z0-9_/]*)(<=(?P<bound>\d+))?(\[(?P<array>(<=)?\d*)\])?$"
)


def _full_name(base: str, package: str) -> str:
    if base in PRIMITIVES:
        return base
    parts = base.split("/")
    if parts == ["Header"]:
        return "std_msgs/msg/Header"
    if len(parts) == 1:
        return f"{package}/msg/{base}"
    return f"{parts[0]}/msg/{parts[-1]}"


def _default(text: str, base: str) -> Any:
    if base == "bool":
        return text.lower() in ("true", "1")
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def parse(name: str, text: str) -> Structure:
    """The structure `name` (`pkg/msg/Name`) from the lines of its file."""
    structure = Structure(name)
    package = name.split("/")[0]
    for line in text.splitlines():
        code = line.split("#", 1)[0].strip()
        if not code:
            continue
        type_text, rest = code.split(None, 1)
        if re.match(r"^[A-Za-z0-9_]+\s*=", rest):
            continue  # a constant is not on the wire
        match = _TYPE.match(type_text)
        if match is None:
            raise ValueError(f"{name}: {line!r}")
        member, _, default = rest.partition(" ")
        base = _full_name(match["base"], package)
        result = Field(member, base)
        if match["bound"]:
            result.string_bound = int(match["bound"])
        array = match["array"]
        if array is not None:
            result.shape = "array" if array.isdigit() else "sequence"
            digits = array.removeprefix("<=")
            result.size = int(digits) if digits else None
        if default.strip():
            result.default = _default(default.strip(), base)
        structure.fields.append(result)
    if not structure.fields:
        structure.fields.append(Field("structure_needs_at_least_one_member", "uint8"))
    return structure


def default_roots() -> List[Path]:
    """The repository's folders of packages: the definitions of ROS 2, and its own package."""
    repository = Path(__file__).resolve().parents[3]
    return [repository / "f1_interfaces" / "definitions", repository / "f1_msgs"]


def load(roots: Optional[List[Path]] = None) -> Dict[str, Structure]:
    """All structures by full name, with those that ROS 2 derives from an action."""
    found: Dict[str, Structure] = {}
    for root in roots or default_roots():
        for path in sorted(root.rglob("*")):
            kind = path.parent.name
            if path.suffix != f".{kind}" or kind not in ("msg", "srv", "action"):
                continue
            name = f"{path.parent.parent.name}/{kind}/{path.stem}"
            parts = re.split(r"^---\s*$", path.read_text(), flags=re.MULTILINE)
            suffixes = {
                "msg": [""],
                "srv": ["_Request", "_Response"],
                "action": ["_Goal", "_Result", "_Feedback"],
            }
            for suffix, part in zip(suffixes[kind], parts, strict=True):
                found[name + suffix] = parse(name + suffix, part)
            if kind == "action":
                _derive(found, name)
    return found


def _derive(found: Dict[str, Structure], action: str) -> None:
    goal_id = Field("goal_id", UUID)
    for suffix, fields in {
        "_SendGoal_Request": [goal_id, Field("goal", f"{action}_Goal")],
        "_SendGoal_Response": [Field("accepted", "bool"), Field("stamp", TIME)],
        "_GetResult_Request": [goal_id],
        "_GetResult_Response": [Field("status", "int8"), Field("result", f"{action}_Result")],
        "_FeedbackMessage": [goal_id, Field("feedback", f"{action}_Feedback")],
    }.items():
        found[action + suffix] = Structure(action + suffix, fields)
