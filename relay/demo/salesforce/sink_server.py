"""The ways by which mail comes to Email to Salesforce: its own mail server, or a smarthost that hands copies over."""

from collections.abc import Callable

from relay.demo.capture import Capture
from relay.demo.captured import Captured, Manners, by_local_part
from relay.demo.salesforce.sink import Sink


def handing_over(sink: Sink, verdict: Callable[[str], str | None] = by_local_part) -> Manners:
    """Make a smarthost that keeps all mail and hands each log copy to Email to Salesforce on the way.

    It has taken the mail by then, as smarthosts do: what Salesforce refuses becomes a notice to the sender.
    """

    def judge(message: Captured) -> None:
        for address in message.addresses:
            if sink.knows(address):
                sink.take(address, message.sender, message.content)

    return Manners(verdict=verdict, judge=judge)


def mail_server(sink: Sink, port: int = 0) -> Capture:
    """Make the mail server that a relay without a smarthost speaks to: it knows its own addresses only.

    Mail that is refused is refused in the dialogue, or taken and bounced later, as the sink's settings say.
    """

    def verdict(address: str) -> str | None:
        return None if sink.knows(address) else "550 5.1.1 No such address here"

    def judge(message: Captured) -> str | None:
        answers = [sink.answer(address, message.sender, message.content) for address in message.addresses]
        return answers[0] if all(answers) else None

    return Capture(Manners(verdict=verdict, judge=judge), port=port)
