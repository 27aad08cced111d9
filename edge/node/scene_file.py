"""Scripted scenes from YAML: a list of actions, each with its time; every mistake is reported with its line."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from drivers.simulated import scene
from drivers.simulated.world import World
from edge.config.errors import ConfigError, Problem
from edge.config.quantity import DURATION, POSITION, WEIGHT
from edge.config.setup import Setup
from edge.config.text_file import read_text
from edge.config.wording import close_match
from edge.config.yaml_source import Located, parse_yaml, plain

Parser = Callable[[Any], Any]
_MOST_AT_ONCE = 100


def _seconds(value: Any) -> float:
    if isinstance(value, str) and value.replace(".", "", 1).isdigit():
        raise ValueError(f"a number without a unit; expected a time such as '{value} s'")
    return DURATION.parse(value) / 1000.0


def _two_seconds(value: Any) -> tuple[float, float]:
    if not isinstance(value, list) or len(value) != 2 or not _seconds(value[0]) <= _seconds(value[1]):
        raise ValueError("expected two times, the shorter one first, for example [2 s, 3 s]")
    return _seconds(value[0]), _seconds(value[1])


def _whole(value: Any) -> int:
    if not isinstance(value, str) or not value.isdigit() or not 1 <= int(value) <= _MOST_AT_ONCE:
        raise ValueError(f"expected a whole number from 1 to {_MOST_AT_ONCE}")
    return int(value)


def _factor(value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = 0.0
    if not 1.0 <= number <= 10.0:
        raise ValueError("expected a factor from 1 to 10, for example 1.5")
    return number


def _yes(value: Any) -> bool:
    if value not in ("true", "false"):
        raise ValueError("expected true or false")
    return bool(value == "true")


def _name(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("expected a name")
    return value


@dataclass(frozen=True)
class _Verb:
    """One word of a scene: the action, its keys with the action's attributes and how to read them."""

    action: type[Any]
    keys: Mapping[str, tuple[str, Parser]]
    required: tuple[str, ...]


_AT = {"at": ("at_s", _seconds)}
_SLOT = {**_AT, "slot": ("slot", _name), "quantity": ("quantity", _whole), "sku": ("sku", _name)}
_SPOT = {**_AT, "board": ("board", _name), "x": ("x_mm", POSITION.parse), "y": ("y_mm", POSITION.parse)}
_LEAN = _Verb(
    scene.Lean, {**_SPOT, "force": ("force_g", WEIGHT.parse), "lasts": ("lasts_s", _seconds)}, ("at", "board")
)
VERBS: Mapping[str, _Verb] = {
    "pick": _Verb(
        scene.Pick,
        {
            **_SLOT,
            "touch": ("touch_g", WEIGHT.parse),
            "touch_time": ("touch_s", _seconds),
            "lift_time": ("lift_s", _seconds),
            "hold_time": ("hold_s", _seconds),
        },
        ("at", "slot"),
    ),
    "put": _Verb(
        scene.Put,
        {**_SLOT, "fresh": ("fresh", _yes), "contact_time": ("contact_s", _seconds), "impact": ("impact", _factor)},
        ("at", "slot"),
    ),
    "restock": _Verb(
        scene.Restock,
        {**_AT, "slot": ("slot", _name), "quantity": ("quantity", _whole), "gap": ("gap_s", _two_seconds)},
        ("at", "slot", "quantity"),
    ),
    "lean": _LEAN,
    "bump": _LEAN,
    "footsteps": _Verb(
        scene.Footsteps, {**_AT, "steps": ("steps", _whole), "strength": ("peak_g", WEIGHT.parse)}, ("at",)
    ),
    "vibration": _Verb(
        scene.Vibration,
        {**_AT, "board": ("board", _name), "lasts": ("lasts_s", _seconds), "rms": ("rms_g", WEIGHT.parse)},
        ("at",),
    ),
    "foreign-put": _Verb(scene.ForeignPut, {**_SPOT, "weight": ("grams", WEIGHT.parse)}, ("at", "board", "weight")),
    "foreign-take": _Verb(scene.ForeignTake, {**_AT, "board": ("board", _name)}, ("at", "board")),
}
_BUMP = {"lasts_s": 0.25}


@dataclass
class ScriptedScene:
    """Actions of a file in order of time; knows which line it is at, for an action that turns out to be impossible."""

    file: str
    actions: list[tuple[int, scene.Action]] = field(default_factory=list)
    line: int = 0

    def __call__(self, world: World) -> Iterator[scene.Action]:
        for line, action in self.actions:
            self.line = line
            yield action

    @property
    def last_s(self) -> float:
        """When the last action begins (the last unit, of a restocking)."""
        ends = [
            a.at_s + (a.quantity * a.gap_s[1] if isinstance(a, scene.Restock) else 0.0)
            + (getattr(a, "lasts_s", None) or 0.0) + getattr(a, "hold_s", 0.0)
            for _, a in self.actions
        ]  # fmt: skip
        return max(ends, default=0.0)

    def impossible(self, error: Exception) -> ConfigError:
        """What to raise when the action that was asked for last can't be done."""
        return ConfigError([Problem(self.file, self.line, "", "", str(error))])


def read_scene(path: Path, setup: Setup) -> ScriptedScene:
    """The scene in a YAML file, for example ``- {at: 5 s, do: pick, slot: A1, quantity: 1}``.

    Raises ConfigError with every problem of the file.
    """
    file = str(path)
    text = read_text(path)
    if isinstance(text, Problem):
        raise ConfigError([text])
    root, problems = parse_yaml(text, file)
    found = ScriptedScene(file)
    if root is not None and isinstance(root.value, list) and root.value:
        for number, entry in enumerate(root.value):
            action = _action(entry, f"[{number}]", file, setup, problems)
            if action is not None:
                found.actions.append((entry.line, action))
    elif not problems:
        problems.append(
            Problem(file, root.line if root else 1, "", "",
                    "expected a list of actions, each like - {at: 5 s, do: pick, slot: A1, quantity: 1}")
        )  # fmt: skip
    if problems:
        raise ConfigError(problems)
    found.actions.sort(key=lambda entry: entry[1].at_s)
    return found


def _action(entry: Located, where: str, file: str, setup: Setup, problems: list[Problem]) -> scene.Action | None:
    if not isinstance(entry.value, dict):
        problems.append(
            Problem(file, entry.line, where, str(entry.value or ""), "expected an action: {at: ..., do: ..., ...}")
        )
        return None
    do = entry.value.get("do")
    word = do.value if do is not None else None
    if not isinstance(word, str) or word not in VERBS:
        line = do.line if do is not None else entry.line
        expected = f"expected one of {', '.join(VERBS)}"
        problems.append(Problem(file, line, f"{where}.do", word if isinstance(word, str) else "", expected))
        return None
    verb, before = VERBS[word], len(problems)
    values: dict[str, Any] = dict(_BUMP) if word == "bump" else {}
    for key, node in entry.value.items():
        if key == "do":
            continue
        if key not in verb.keys:
            guess = close_match(key, [known for known in verb.keys if known not in entry.value])
            hint = f"; did you mean '{guess}'?" if guess else ""
            expected = f"unknown key{hint} ({word} knows: {', '.join(verb.keys)})"
            problems.append(Problem(file, node.key_line, f"{where}.{key}", "", expected))
            continue
        attribute, parse = verb.keys[key]
        value = plain(node)
        try:
            values[attribute] = _known(attribute, parse(value), setup)
        except ValueError as error:
            problems.append(Problem(file, node.line, f"{where}.{key}", _written(value), str(error)))
    problems.extend(
        Problem(file, entry.line, f"{where}.{key}", "", f"expected this key: {word} needs {', '.join(verb.required)}")
        for key in verb.required
        if key not in entry.value
    )
    if len(problems) > before:
        return None
    action: scene.Action = verb.action(**values)
    return action


def _known(attribute: str, value: Any, setup: Setup) -> Any:
    """The value, if it names something that the setup has; other values as they are."""
    named: Mapping[str, Mapping[str, Any]] = {
        "slot": setup.planogram.slots,
        "sku": setup.planogram.skus,
        "board": setup.node.boards,
    }
    names = named.get(attribute)
    if names is not None and value not in names:
        raise ValueError(f"expected a {attribute} of the setup: {', '.join(names)}")
    return value


def _written(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)
