"""What indexing uses of the ray module, in this process: actors that a test gives and takes room.

Nothing happens but in ``wait``, one thing at a time, so tests are deterministic: first actors start
where there is room, then the oldest call of an actor ends. A wait that nothing can end is counted
and answered with nothing, as after its time; after many of them one after the other it is an error,
for the job would wait for ever.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from facesearch.distributed.indexing.blocks import PhotoBlock

MOST_EMPTY_WAITS = 50


class FakeRayError(Exception):
    """As ray.exceptions.RayError: a call whose actor was lost."""


class FakeRayTaskError(FakeRayError):
    """As ray.exceptions.RayTaskError: a call that raised ``cause``."""

    def __init__(self, cause: Exception) -> None:
        super().__init__(str(cause))
        self.cause = cause


class FakeRayExceptions:
    """As ray.exceptions."""

    RayError = FakeRayError
    RayTaskError = FakeRayTaskError


@dataclass(eq=False)
class FakeCall:
    """The reference of a call of an actor, or of a task; ``names`` are those of its photos."""

    actor: FakeActor | None
    work: Callable[[], Any]
    names: list[str] = field(default_factory=list)
    result: Any = None
    done: bool = False

    def end(self) -> None:
        try:
            if self.actor is not None and self.names:
                self.actor.ray.fate(self.actor, self.names)
            if not self.done:
                self.result = self.work()
        except Exception as error:
            self.result = FakeRayTaskError(error)
        self.done = True


@dataclass(eq=False)
class FakeMethod:
    """A method, or a task, with the options that Ray takes."""

    call: Callable[..., FakeCall]
    given: dict[str, Any] = field(default_factory=dict)

    def options(self, **given: Any) -> FakeMethod:
        return FakeMethod(self.call, given)

    def remote(self, *arguments: Any) -> FakeCall:
        return self.call(*arguments)


class FakeActor:
    """An actor that may have no room yet; ``held`` are its calls that have not ended."""

    def __init__(self, ray: FakeRay, made: Callable[[], Any]) -> None:
        self.ray = ray
        self.made = made
        self.inner: Any = None
        self.started = False
        self.dead = False
        self.held: list[FakeCall] = []

    @property
    def ready(self) -> FakeMethod:
        def call() -> FakeCall:
            return self._called(lambda: self.inner.ready(), [])  # noqa: PLW0108 - not there yet

        return FakeMethod(call)

    @property
    def write(self) -> FakeMethod:
        def call(block: PhotoBlock, attempt: Any) -> FakeCall:
            names = [task.found.name for task in block.tasks]
            return self._called(lambda: self.inner.write(block, attempt), names)

        return FakeMethod(call)

    def lose(self) -> None:
        """End it, and its calls."""
        self.dead = True
        for call in self.held:
            call.result, call.done = FakeRayError("the actor died"), True
        self.held = []

    def _called(self, work: Callable[[], Any], names: list[str]) -> FakeCall:
        assert not self.dead
        assert self.started or not names, "an order went to an actor that may never start"
        call = FakeCall(self, work, names)
        self.held.append(call)
        return call


class FakeActorClass:
    """A class that is to be actors."""

    def __init__(self, ray: FakeRay, kind: type) -> None:
        self.ray = ray
        self.kind = kind

    def options(self, **given: Any) -> FakeActorClass:
        return self

    def remote(self, *arguments: Any) -> FakeActor:
        actor = FakeActor(self.ray, lambda: self.kind(*arguments))
        self.ray.actors.append(actor)
        return actor


class FakeRay:
    """At most ``room`` actors live at once; ``fate`` is asked before a call of ``write`` ends.

    It gets the actor and the names of its photos, and may lose actors, change the room, or raise
    what the call is to raise.
    """

    exceptions = FakeRayExceptions

    def __init__(
        self, room: int, fate: Callable[[FakeActor, list[str]], None] = lambda actor, names: None
    ) -> None:
        self.room = room
        self.fate = fate
        self.actors: list[FakeActor] = []
        self.empty_waits = 0
        self.most_living = 0
        self.before_wait: Callable[[], None] = lambda: None

    def put(self, value: Any) -> Any:
        return value

    def remote(self, what: Any) -> Any:
        if isinstance(what, type):
            return FakeActorClass(self, what)
        return FakeMethod(lambda *given: FakeCall(None, lambda: what(*given)))

    def kill(self, actor: FakeActor) -> None:
        actor.lose()

    def get(self, call: FakeCall) -> Any:
        if call.actor is None and not call.done:
            call.end()
        assert call.done
        if isinstance(call.result, FakeRayError):
            raise call.result
        return call.result

    def wait(
        self, calls: Sequence[FakeCall], num_returns: int, timeout: float
    ) -> tuple[list[FakeCall], list[FakeCall]]:
        assert calls
        assert num_returns == 1
        self.before_wait()
        self._start_actors()
        done = next((call for call in calls if call.done), None) or self._worked(calls)
        if done is None:
            self.empty_waits += 1
            assert self.empty_waits < MOST_EMPTY_WAITS, "the job waits for ever"
            return [], list(calls)
        self.empty_waits = 0
        return [done], [call for call in calls if call is not done]

    def living(self) -> list[FakeActor]:
        """The actors that have room."""
        return [actor for actor in self.actors if actor.started and not actor.dead]

    def pending(self) -> list[FakeActor]:
        """Those that wait for it."""
        return [actor for actor in self.actors if not actor.started and not actor.dead]

    def _start_actors(self) -> None:
        for actor in self.pending()[: max(0, self.room - len(self.living()))]:
            actor.started, actor.inner = True, actor.made()
        self.most_living = max(self.most_living, len(self.living()))

    def _worked(self, calls: Sequence[FakeCall]) -> FakeCall | None:
        """The first call that an actor with room can end, ended."""
        for call in calls:
            actor = call.actor
            if actor is not None and actor.started and not actor.dead and actor.held[0] is call:
                call.end()
                actor.held = [each for each in actor.held if each is not call]
                return call
        return None
