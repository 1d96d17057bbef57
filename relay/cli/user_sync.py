"""`relay user sync-salesforce`: fill in what Salesforce knows of the reps, and show where the two differ."""

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from relay.cli.common import ConfigOption, JsonOption, load_configuration
from relay.cli.salesforce import rep_named, with_client
from relay.cli.show import print_json, safe
from relay.cli.user_access import STORE, directory, own, snapshot, write
from relay.config.loader import Configuration
from relay.directory.store import ORIGIN, RepChange
from relay.salesforce.bcc_address import MANUAL_STEPS, Found, look
from relay.storage.database import Transaction


def sync_salesforce(
    context: typer.Context,
    login: Annotated[
        str | None, typer.Option("--as", metavar="REP", help="This rep alone; all when not given.")
    ] = None,
    apply: Annotated[
        bool, typer.Option("--apply", help="Keep what was found; otherwise it is shown only.")
    ] = False,
    reveal: Annotated[
        bool, typer.Option("--reveal", help="Show Email to Salesforce addresses in full.")
    ] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Read each rep's Email to Salesforce address and user id, and compare the acceptable addresses.

    Nothing is ever written to Salesforce; with --apply, what was found is kept for the reps entered here. For reps of
    the settings file the lines to put there are printed. Exits with 1 when the two differ or something is not found.
    """
    configuration = load_configuration(context, config)
    reps = [rep_named(configuration, login)] if login else directory(configuration).reps()
    found = with_client(configuration, lambda client: look(client, reps))
    applied = _apply(configuration, found) if apply else set[str]()
    if as_json:
        print_json("relay.user.sync/1", [_item(one, one.rep.login in applied, reveal) for one in found])
    else:
        for one in found:
            _print(one, one.rep.login in applied, reveal)
        if any(one.problem for one in found):
            print(f"\n{MANUAL_STEPS}")
    if any(_open(one, one.rep.login in applied) for one in found):
        raise typer.Exit(1)


def _apply(configuration: Configuration, found: Sequence[Found]) -> set[str]:
    """Keep what was found for the reps of the store; give their logins."""
    changed = [one for one in found if one.rep.origin == ORIGIN and (one.address_differs or one.user_differs)]
    if not changed:
        return set()

    def keep(tx: Transaction) -> None:
        all_reps = snapshot(tx, configuration)
        for one in changed:
            own(all_reps, one.rep.login)
            STORE.set(
                tx,
                one.rep.login,
                RepChange(
                    email_to_salesforce=one.address if one.address_differs else None,
                    salesforce_user_id=one.user_id if one.user_differs else None,
                ),
            )

    write(configuration, keep)
    return {one.rep.login for one in changed}


def _open(one: Found, applied: bool) -> bool:
    differs = (one.address_differs or one.user_differs) and not applied
    return bool(differs or one.problem or one.not_accepted or one.everyone)


def _item(one: Found, applied: bool, reveal: bool) -> dict[str, object]:
    address = one.address
    return {
        "login": one.rep.login,
        "origin": one.rep.origin,
        "salesforce_user_id": one.user_id,
        "email_to_salesforce": None if address is None else address.reveal() if reveal else str(address),
        "differs": one.address_differs or one.user_differs,
        "applied": applied,
        "acceptable_in_salesforce": list(one.senders),
        "not_accepted_by_salesforce": list(one.not_accepted),
        "only_in_salesforce": list(one.only_there),
        "everyone_may_send": one.everyone,
        "problem": one.problem,
    }


def _print(one: Found, applied: bool, reveal: bool) -> None:
    print(f"{safe(one.rep.login)}  ({one.rep.origin})")
    if one.problem:
        print(f"  not found: {safe(one.problem)}")
    if applied:
        print("  kept what Salesforce has:")
    elif one.address_differs or one.user_differs:
        in_store = one.rep.origin == ORIGIN
        print("  differs; --apply keeps:" if in_store else f"  differs; put these lines at {one.rep.origin}:")
    if one.address is not None and one.address_differs:
        shown = one.address.reveal() if reveal else f"{one.address}   (--reveal shows it in full)"
        print(f"    email_to_salesforce: {shown}")
    if one.user_differs:
        print(f"    salesforce_user_id: {one.user_id}")
    _print_senders(one)
    if not _open(one, applied) and not applied:
        print("  the same in both")


def _print_senders(one: Found) -> None:
    if one.everyone:
        print("  warning: My Acceptable Email Addresses is empty: whoever knows the address may send to it")
    for address in one.not_accepted:
        print(f"  Salesforce does not accept {safe(address)}: mail from it is not logged in mode bcc;")
        print("    add it under Settings > Email > My Email to Salesforce > My Acceptable Email Addresses")
    if one.only_there:
        print(f"  only in Salesforce: {safe(', '.join(one.only_there))}")
    sys.stdout.flush()
