"""One question to a host, through its redirects and its question who one is; what comes back is open to be read on.

FFmpeg would ask too, but it follows a redirect to any host, and says hardly why a host refuses.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self

from streamaffect.clock import monotonic_ns
from streamaffect.errors import SourceEndedError, SourceError, SourceForbiddenError, SourceOpenError
from streamaffect.sources.remote.address import Address, Reach
from streamaffect.sources.remote.authorization import Asked, Signer, is_stale
from streamaffect.sources.remote.heads import HEAD_LIMIT, Head, NoReplyError, read_head
from streamaffect.sources.remote.limits import Deadline, Limits
from streamaffect.sources.remote.lines import Line, Lines
from streamaffect.sources.remote.requests import Request, question
from streamaffect.sources.remote.resolver import Resolver

MOST_REDIRECTS = 5
CHALLENGE = "www-authenticate"


@dataclass(frozen=True, slots=True)
class Reply:
    """A host's answer.

    address: who answered, after redirects
    line:    where its body comes from; rest: what has come of it already
    public:  the methods that an RTSP host has said to know
    """

    address: Address
    head: Head
    line: Line
    rest: bytes
    public: str = ""

    def body(self, deadline: Deadline) -> bytes:
        """The body where its length is stated and small, otherwise what has come of it; raises OSError."""
        wanted, body = min(self.head.length or 0, HEAD_LIMIT), self.rest
        while len(body) < wanted:
            more = self.line.receive(wanted - len(body), deadline)
            if not more:
                break
            body += more
        return body

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.line.close()


class Asker:
    """Asks on behalf of one attempt to open a camera; all that it opens can be cut.

    took_s:   seconds that the last answer has taken, from connecting on
    requests: how many have been sent
    signer:   signs as the last host wants it
    """

    def __init__(self, reach: Reach, lines: Lines, resolver: Resolver, limits: Limits) -> None:
        self.lines = lines
        self.limits = limits
        self.took_s = 0.0
        self.requests = 0
        self.signer = Signer(None, "")
        self._reach = reach
        self._resolver = resolver
        self._label = reach.named.label

    def ask(self, address: Address | str, fields: Mapping[str, str] | None = None) -> Reply:
        """Ask an address, or a reference that was found at the named one, whether it gives what it has.

        fields: further ones of the request

        Raises:
            SourceOpenError: with the reason in one line, without credentials.
            SourceEndedError: the lines were cut.
        """
        if isinstance(address, str):
            address = self._reach.follow(address, base=self._reach.named)
        for _ in range(MOST_REDIRECTS):
            asked_ns = monotonic_ns()
            reply = self._answer(question(address, fields or {}))
            self.took_s = (monotonic_ns() - asked_ns) / 1e9
            location = reply.head.value("location") if reply.head.is_redirect else ""
            if not location:
                return self._checked(reply)
            reply.line.close()
            address = self._reach.follow(location, base=address)
        raise SourceOpenError(f"{self._label}: the host sends on from one address to the next, without end")

    def check(self, reference: str) -> None:
        """Raise SourceOpenError if what stands at the named address may not refer to this."""
        self._reach.follow(reference, base=self._reach.named)

    def _answer(self, request: Request) -> Reply:
        """The reply, with the credentials where the host wants them."""
        self.signer = Signer(request.address.user, request.address.password)
        line = self.connect(request.address)
        public = ""
        if request.address.is_rtsp:
            # FFmpeg begins with it, and would follow whatever it is told.
            options = self._exchange(line, Request("OPTIONS", request.address))
            public = options.head.value("public")
            reply = options if options.head.is_redirect else self._again(options, request)
        else:
            reply = self._exchange(line, request)
        if reply.head.status == 401:
            reply = self._identified(reply, request)
            if reply.head.status == 401 and is_stale(reply.head.values(CHALLENGE)):
                reply = self._identified(reply, request)
        return replace(reply, public=public)

    def _identified(self, challenged: Reply, request: Request) -> Reply:
        """The answer to the request with credentials."""
        address, label = request.address, self._label
        if address.user is None:
            challenged.line.close()
            raise SourceForbiddenError(
                f"{label}: the host asks for a user and password; give them as {address.scheme}://user:password@host/…"
            )
        self.signer.learn(challenged.head.values(CHALLENGE))
        answer = self.signer.sign(Asked(request.method, request.target))
        if answer is None:
            challenged.line.close()
            raise SourceForbiddenError(
                f"{label}: the host asks for credentials in a way that is not known here; let it use Digest or Basic"
            )
        return self._again(challenged, request.signed(answer))

    def _again(self, before: Reply, request: Request) -> Reply:
        """The next reply, on the connection of the last if the host keeps it: some challenges hold for that alone."""
        try:
            before.body(Deadline(self.limits.answer_s))
            return self._exchange(before.line, request)
        except (SourceOpenError, OSError) as error:
            before.line.close()
            if self.lines.is_cut or isinstance(error.__cause__, TimeoutError):
                raise
            return self._exchange(self.connect(request.address), request)

    def connect(self, address: Address) -> Line:
        """A connection to a host that may be asked. Raises as `ask` does."""
        deadline = Deadline(self.limits.connect_s)
        places = self._resolver.places(address.host, address.port, deadline, label=self._label)
        return self.lines.connect(address, places, deadline, label=self._label)

    def _exchange(self, line: Line, request: Request) -> Reply:
        """Send a request and read the head of the reply."""
        deadline = Deadline(self.limits.answer_s)
        self.requests += 1
        try:
            line.send(request.text(self.requests), deadline)
            head, rest = read_head(line, deadline)
        except BaseException as error:
            line.close()
            if isinstance(error, NoReplyError | OSError):
                raise self._explained(error, request.address, deadline) from error
            raise
        return Reply(request.address, head, line, rest)

    def _explained(self, error: NoReplyError | OSError, address: Address, deadline: Deadline) -> SourceError:
        if self.lines.is_cut:
            return SourceEndedError(f"{self._label}: was closed")
        if isinstance(error, NoReplyError) and not error.is_silence:
            return SourceOpenError(f"{self._label}: the host does not speak {address.scheme}; check scheme and port")
        if isinstance(error, TimeoutError):
            return SourceOpenError(
                f"{self._label}: the host takes the connection and says nothing for {deadline.seconds:g} s; "
                "is the port right?"
            )
        return SourceOpenError(f"{self._label}: the host takes the connection and closes it; is the port right?")

    def _checked(self, reply: Reply) -> Reply:
        """The reply, if it is what was asked for."""
        status = reply.head.status
        if 200 <= status < 300:
            return reply
        reply.line.close()
        if status == 401:
            raise wrong_credentials(self._label)
        if status == 403:
            raise SourceForbiddenError(
                f"{self._label}: the host forbids access (403); check the permissions of this user there"
            )
        if status == 404:
            raise SourceOpenError(f"{self._label}: the host knows no such path (404); check what follows the host name")
        raise SourceOpenError(f"{self._label}: the host answers with status {status}; expected 200")


def wrong_credentials(label: str) -> SourceForbiddenError:
    """The error for credentials that the host does not take."""
    return SourceForbiddenError(
        f"{label}: the host refuses this user and password (401); check them, %-escape @ : / in them"
    )
