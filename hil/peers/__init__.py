"""The peers: published shelf rules and ready-made change detectors, run on the same scenes as our own fusion."""

from hil.peers.registry import PEERS, Peer

__all__ = ["PEERS", "Peer"]
