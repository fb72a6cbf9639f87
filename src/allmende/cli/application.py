"""The tree of commands. The modules of commands import what they work with when they run."""

from cyclopts import App, Parameter

from allmende import __version__
from allmende.cli import (
    admin_accounts,
    admin_apply,
    admin_jobs,
    admin_lineage,
    admin_pack,
    admin_repos,
    admin_scan,
    admin_tokens,
    admin_upkeep,
    assess,
    client_environment,
    diff,
    inspect,
    lineage,
    pull,
    scan,
    serve,
    store,
    store_upkeep,
)

__all__ = ["build"]


def build() -> App:
    """The application; a command returns its exit code, or None for success."""
    app = App(
        name="allmende",
        help="A hub for open AI models that anyone can run.",
        version=f"allmende {__version__}",
        default_parameter=Parameter(negative=()),
        result_action="return_value",
        suppress_keyboard_interrupt=False,
    )
    app.command(serve.serve, name="serve")
    app.command(_admin(), name="admin")
    app.command(client_environment.env, name="env")
    app.command(assess.assess, name="assess")
    app.command(diff.diff, name="diff")
    app.command(lineage.lineage, name="lineage")
    app.command(inspect.inspect, name="inspect")
    app.command(pull.pull, name="pull")
    app.command(scan.scan, name="scan")
    app.command(_store(), name="store")
    return app


def _store() -> App:
    kept = App(help="A delta store in a folder, without a hub: files, each as what is new in it.")
    kept.command(store.add, name="add")
    kept.command(store.get, name="get")
    kept.command(store.list_of_entries, name="ls")
    kept.command(store.remove, name="rm")
    kept.command(store_upkeep.stat, name="stat")
    kept.command(store_upkeep.check, name="check")
    kept.command(store_upkeep.collect, name="gc")
    return kept


def _admin() -> App:
    admin = App(help="Work on a hub's data; its server may be running or not.")
    admin.command(admin_apply.apply, name="apply")
    user = App(help="Users.")
    user.command(admin_accounts.create_user, name="create")
    user.command(admin_accounts.list_users, name="list")
    admin.command(user, name="user")
    org = App(help="Organisations.")
    org.command(admin_accounts.create_org, name="create")
    org.command(admin_accounts.list_orgs, name="list")
    admin.command(org, name="org")
    member = App(help="Who belongs to which organisation.")
    member.command(admin_accounts.set_membership, name="set")
    member.command(admin_accounts.remove_membership, name="remove")
    admin.command(member, name="member")
    token = App(help="Tokens of users.")
    token.command(admin_tokens.create_token, name="create")
    token.command(admin_tokens.list_of_tokens, name="list")
    token.command(admin_tokens.revoke, name="revoke")
    admin.command(token, name="token")
    repo = App(help="Repos, private ones too.")
    repo.command(admin_repos.list_of_repos, name="list")
    repo.command(admin_repos.delete, name="delete")
    repo.command(admin_repos.xet_reads, name="xet-reads")
    admin.command(repo, name="repo")
    jobs = App(help="Work that is put off.")
    jobs.default(admin_jobs.list_of_jobs)
    jobs.command(admin_jobs.retry, name="retry")
    admin.command(jobs, name="jobs")
    verdicts = App(help="Verdicts of the scan that were lifted.")
    verdicts.command(admin_scan.override, name="override")
    verdicts.command(admin_scan.list_of_overrides, name="overrides")
    verdicts.command(admin_scan.revoke, name="revoke")
    admin.command(verdicts, name="scan")
    admin.command(admin_scan.begin_rescan, name="rescan")
    admin.command(admin_scan.report, name="scan-report")
    admin.command(admin_lineage.begin_relineage, name="relineage")
    admin.command(_packing(), name="pack")
    admin.command(admin_upkeep.collect, name="gc")
    admin.command(admin_upkeep.check, name="fsck")
    admin.command(admin_upkeep.begin_epoch, name="new-epoch")
    return admin


def _packing() -> App:
    pack = App(help="The packing of stored files: kept as what is new in them.")
    pack.command(admin_pack.status, name="status")
    pack.command(admin_pack.pause, name="pause")
    pack.command(admin_pack.resume, name="resume")
    pack.command(admin_pack.pack_now, name="now")
    return pack
