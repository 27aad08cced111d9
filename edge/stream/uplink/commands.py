"""Commands as they come in from the broker, and the answers: who may, how often, and each id once.

A command is a JSON object with an `id` (a text of the sender's choice). The answer is a JSON object with the same id,
`ok` and `text`, a sentence; and what the command gives. A repeated id is answered again, but not done again. Where
it is refused only for now, `retry_s` says in how many seconds to ask again, with a new id.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from edge.config.live_schema import CommandOptions
from edge.stream.uplink.command_keys import COMMANDS, SIGNING_FIELDS, CommandKey, load_command_keys, why_refused
from edge.stream.uplink.command_memory import CommandMemory
from edge.stream.uplink.errors import CredentialError
from edge.stream.uplink.log import ThrottledLog, logger
from edge.stream.uplink.topics import Names

MOST_COMMAND_BYTES = 4096
MOST_ID_CHARACTERS = 128
_BURST = 20
_PER_S = 2.0
_LOG_GAP_S = 10.0  # whoever sends rubbish mustn't fill the log
_FLOOD_GAP_S = 1.0  # between two answers that say that commands come too fast
_NAME = re.compile(r"[a-z][a-z-]{0,31}")

Answer = dict[str, Any]
Handler = Callable[[Mapping[str, Any]], Answer]


class CommandRefused(ValueError):  # noqa: N818 - it isn't an error of the node's, it is its answer
    """A handler can't do what is asked; the text says what is expected. `retry_s`: it could, so many seconds later."""

    def __init__(self, text: str, retry_s: float | None = None) -> None:
        super().__init__(text)
        self.retry_s = retry_s


class Commands:
    """Takes commands, gives answers; knows nothing of MQTT. Used by one thread.

    Args:
        names, boot: whom a signed command must be for.
        handlers: by command; each takes the arguments and gives fields of the answer (`text` among them), or raises
            CommandRefused.
        memory: one for all of this node, as long as it runs.
    """

    def __init__(
        self,
        options: CommandOptions,
        names: Names,
        boot: int,
        handlers: Mapping[str, Handler],
        log: ThrottledLog,
        memory: CommandMemory,
    ) -> None:
        self._options = options
        self._names = names
        self._boot = boot
        self._handlers = handlers
        self._log = log
        self._tokens = float(_BURST)
        self._filled_s = 0.0
        self._flood_told_s = -_FLOOD_GAP_S
        self._memory = memory

    def take(self, name: str, payload: bytes, now_s: float) -> bytes | None:
        """The answer to the command of that name, as JSON; None where it isn't worth one (an impossible name, a flood
        that was told of within the last second).

        `now_s` is monotonic.
        """
        if not self._may_pass(now_s):
            self._log.say("flood", logging.WARNING, "commands come too fast; most of them are dropped")
            return self._too_fast(payload, now_s)
        if not _NAME.fullmatch(name):
            self._log.say("commands", logging.WARNING, "a command with an impossible name is dropped", _LOG_GAP_S)
            return None
        command_id = None
        try:
            given = _parse(payload)
            command_id = given["id"]
            return self._do(name, given, payload)
        except RecursionError:
            return _refused(command_id, CommandRefused("the command is nested too deeply"))
        except CommandRefused as refusal:
            self._log.say("commands", logging.WARNING, f"command {name} is refused: {refusal}", _LOG_GAP_S)
            return _refused(command_id, refusal)

    def _do(self, name: str, given: dict[str, Any], payload: bytes) -> bytes:
        permission = getattr(self._options, name, None) if name in COMMANDS else None
        handler = self._handlers.get(name)
        if permission is None or handler is None:
            raise CommandRefused(f"no command is called {name}; expected {', '.join(COMMANDS)}")
        if permission == "off":
            raise CommandRefused(f"the command {name} is switched off on this node")
        signed = permission == "key"
        if signed:
            self._check_key(name, given)
        try:
            before = self._memory.begin(self._boot, name, given["id"], payload, signed)
        except LookupError:
            raise CommandRefused("this id was used before for another command; expected a new one") from None
        except OverflowError:
            raise CommandRefused("too many signed commands since the node started; restart it") from None
        if before is not None:
            known = {"id": given["id"], "ok": True, "text": "this was done before; its answer isn't kept"}
            return before or _to_json(known)
        arguments = {key: value for key, value in given.items() if key != "id" and key not in SIGNING_FIELDS}
        try:
            answer = _to_json({"id": given["id"], "ok": True, **handler(arguments)})
        except CommandRefused as refusal:
            if signed:  # its id is used up: whoever repeats it must not hear that it was done
                self._memory.end(self._boot, name, given["id"], payload, _refused(given["id"], refusal))
            raise
        logger.info("command %s is done", name)
        self._memory.end(self._boot, name, given["id"], payload, answer)
        return answer

    def _too_fast(self, payload: bytes, now_s: float) -> bytes | None:
        """One of those that are dropped hears of it, at most once a second."""
        if now_s - self._flood_told_s < _FLOOD_GAP_S:
            return None
        self._flood_told_s = now_s
        text = f"commands come too fast and are dropped; expected at most {_PER_S:g} a second"
        try:
            return _refused(_parse(payload)["id"], CommandRefused(text, _FLOOD_GAP_S))
        except CommandRefused:
            return None

    def _check_key(self, name: str, given: Mapping[str, Any]) -> None:
        refused = why_refused(self._keys(), self._names, name, self._boot, given)
        if refused is not None:
            raise CommandRefused(refused)

    def _keys(self) -> dict[str, CommandKey]:
        """Read anew each time: a key that was taken out of the file counts no more."""
        path = self._options.key_file
        if path is None:
            raise CommandRefused("this command must be signed, but the node has no key; give commands.key_file there")
        try:
            keys, warnings = load_command_keys(Path(path))
        except CredentialError as error:
            self._log.say("command keys", logging.WARNING, str(error))
            raise CommandRefused(
                "this command must be signed, but the node's key file can't be used; see its log"
            ) from None
        for warning in warnings:
            self._log.say(warning, logging.WARNING, warning)
        return keys

    def _may_pass(self, now_s: float) -> bool:
        self._tokens = min(_BURST, self._tokens + max(0.0, now_s - self._filled_s) * _PER_S)
        self._filled_s = now_s
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True


def whole(arguments: Mapping[str, Any], name: str, least: int, most: int, default: int | None = None) -> int:
    """A whole number among a command's arguments. Raises CommandRefused."""
    value = arguments.get(name, default)
    if type(value) is not int or not least <= value <= most:
        raise CommandRefused(f"{name}: expected a whole number from {least} to {most}")
    return value


def _parse(payload: bytes) -> dict[str, Any]:
    if len(payload) > MOST_COMMAND_BYTES:
        raise CommandRefused(f"the command is too long; expected at most {MOST_COMMAND_BYTES} bytes")
    try:
        given = json.loads(payload)
    except (ValueError, RecursionError):
        raise CommandRefused('this isn\'t JSON; expected an object, for example {"id": "1"}') from None
    if not isinstance(given, dict):
        raise CommandRefused('expected a JSON object, for example {"id": "1"}')
    command_id = given.get("id")
    if not isinstance(command_id, str) or not 0 < len(command_id) <= MOST_ID_CHARACTERS:
        raise CommandRefused(f"id: expected a text of 1 to {MOST_ID_CHARACTERS} characters")
    if not command_id.isprintable():
        raise CommandRefused("id: expected a text that can be printed")
    return given


def _refused(command_id: str | None, refusal: CommandRefused) -> bytes:
    more = {} if refusal.retry_s is None else {"retry_s": refusal.retry_s}
    return _to_json({"id": command_id, "ok": False, "text": str(refusal), **more})


def _to_json(answer: Answer) -> bytes:
    return json.dumps(answer, separators=(",", ":")).encode()
