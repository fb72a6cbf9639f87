"""The tree of commands. The modules of commands import what they work with when they run."""

from cyclopts import App, Parameter

from allmende import __version__
from allmende.cli import (
    admin_accounts,
    admin_apply,
    admin_erase,
    admin_jobs,
    admin_keys,
    admin_lineage,
    admin_log,
    admin_pack,
    admin_repos,
    admin_root,
    admin_scan,
    admin_tokens,
    admin_upkeep,
    applications,
    assess,
    client_environment,
    diff,
    document,
    evidence,
    inspect,
    lineage,
    log_reading,
    proof,
    pull,
    push,
    records,
    scan,
    serve,
    sign,
    store,
    store_upkeep,
    verify,
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
    app.command(_applications(), name="applications")
    app.command(assess.assess, name="assess")
    app.command(diff.diff, name="diff")
    app.command(document.document, name="document")
    app.command(evidence.evidence, name="evidence")
    app.command(lineage.lineage, name="lineage")
    app.command(inspect.inspect, name="inspect")
    app.command(_log(), name="log")
    app.command(proof.proof, name="proof")
    app.command(pull.pull, name="pull")
    app.command(push.push, name="push")
    app.command(records.record, name="record")
    app.command(records.bom, name="bom")
    app.command(scan.scan, name="scan")
    app.command(sign.sign, name="sign")
    app.command(_store(), name="store")
    app.command(verify.verify, name="verify")
    return app


def _applications() -> App:
    register = App(help="The register of applications of a hub.")
    register.command(applications.list_of_applications, name="list")
    register.command(applications.put, name="put")
    register.command(applications.show, name="show")
    register.command(applications.delete, name="delete")
    register.command(applications.evidence, name="evidence")
    return register


def _log() -> App:
    log = App(help="The transparency log of a hub, read by somebody who need not believe the hub.")
    log.command(log_reading.mirror, name="mirror")
    log.command(log_reading.check, name="check")
    log.command(log_reading.watch, name="watch")
    return log


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
    _add_accounts(admin)
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
    jobs.command(admin_jobs.cancel, name="cancel")
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
    admin.command(_own_log(), name="log")
    admin.command(_keys(), name="keys")
    admin.command(admin_upkeep.collect, name="gc")
    admin.command(admin_upkeep.check, name="fsck")
    admin.command(admin_upkeep.begin_epoch, name="new-epoch")
    return admin


def _add_accounts(admin: App) -> None:
    user = App(help="Users.")
    user.command(admin_accounts.create_user, name="create")
    user.command(admin_accounts.set_user_password, name="password")
    user.command(admin_accounts.list_users, name="list")
    user.command(admin_accounts.lock_user, name="lock")
    user.command(admin_accounts.unlock_user, name="unlock")
    user.command(admin_erase.erase_user, name="erase")
    admin.command(user, name="user")
    org = App(help="Organisations.")
    org.command(admin_accounts.create_org, name="create")
    org.command(admin_accounts.list_orgs, name="list")
    admin.command(org, name="org")
    member = App(help="Who belongs to which organisation.")
    member.command(admin_accounts.set_membership, name="set")
    member.command(admin_accounts.remove_membership, name="remove")
    admin.command(member, name="member")


def _own_log() -> App:
    log = App(help="The hub's transparency log.")
    log.command(admin_log.status, name="status")
    log.command(admin_log.check, name="check")
    log.command(admin_log.resume, name="resume")
    log.command(admin_log.new_log, name="new-log")
    peers = App(help="Logs that this hub witnesses, and witnesses that it asks.")
    peers.command(admin_log.add, name="add")
    peers.command(admin_log.list_of_peers, name="list")
    peers.command(admin_log.remove, name="remove")
    log.command(peers, name="peers")
    return log


def _keys() -> App:
    keys = App(help="The keys that sign the log and the statements.")
    keys.command(admin_keys.list_of_keys, name="list")
    keys.command(admin_keys.rotate, name="rotate")
    keys.command(admin_keys.drop_old, name="drop-old")
    keys.command(admin_keys.export, name="export")
    keys.command(admin_keys.publish, name="publish")
    root = App(help="The key that lies offline and vouches for the hub's keys; no hub is needed for it.")
    root.command(admin_root.new, name="new")
    root.command(admin_root.sign, name="sign")
    keys.command(root, name="root")
    return keys


def _packing() -> App:
    pack = App(help="The packing of stored files: kept as what is new in them.")
    pack.command(admin_pack.status, name="status")
    pack.command(admin_pack.pause, name="pause")
    pack.command(admin_pack.resume, name="resume")
    pack.command(admin_pack.pack_now, name="now")
    return pack
