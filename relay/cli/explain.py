"""`relay explain FILE.eml --as REP`: the whole decision about a mail, and its records, without sending anything."""

from pathlib import Path
from typing import Annotated

import typer

from relay.cli.common import ConfigOption, JsonOption, load_configuration


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command("explain")(explain_mail)


def explain_mail(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE.eml", help="The mail; - for standard input.")],
    rep: Annotated[str, typer.Option("--as", metavar="REP", help="The login of the rep who sends it.")],
    recipients: Annotated[
        list[str] | None,
        typer.Option("--rcpt", metavar="ADDRESS", help="A recipient; those of the header when not given."),
    ] = None,
    sender: Annotated[
        str | None,
        typer.Option("--from", metavar="ADDRESS", help="The envelope sender; From's when not given."),
    ] = None,
    salesforce: Annotated[
        bool,
        typer.Option("--salesforce/--no-salesforce", help="Look the recipients up in Salesforce, or do not."),
    ] = True,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Tell what would become of a mail: every check with its rule, the records that match and why, what is written.

    Nothing is sent and nothing is written. Exits with 1 when the mail would be refused.
    """
    configuration = load_configuration(context, config)
    from relay.cli.explained import Request, tell  # loaded when used: `relay serve` needs none of it

    tell(configuration, Request(file, rep, tuple(recipients or ()), sender, salesforce, json))
