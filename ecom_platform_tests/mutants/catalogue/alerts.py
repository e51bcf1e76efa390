"""Faults in telling: that a problem is told once, to everybody, and without secrets."""

from ecom_platform_tests.mutants.catalogue import promises
from ecom_platform_tests.mutants.mutant import Mutant

_PROBLEM = "ecom_platform/alerts/problem.py"
_PROBLEM_TESTS = "ecom_platform_tests/unit/alerts/test_problem.py"
_OUTBOX = "ecom_platform/alerts/outbox.py"
_SQL = "ecom_platform/store/sql/alerts.sql"
_TESTS = "ecom_platform_tests/integration/test_alerts.py"
_REDACTION = "ecom_platform/alerts/redaction.py"
_SECRETS = "ecom_platform_tests/unit/alerts/test_secrets.py"

MUTANTS = (
    Mutant(
        name="what was read before is told again",
        promise=promises.TOLD_ONCE,
        file=_PROBLEM,
        original="        if before is not None and sign.at <= before.at:",
        mutated="        if before is not None and sign.at < before.at:",
        tests=(_PROBLEM_TESTS,),
    ),
    Mutant(
        name="signs are taken in the order of their reading",
        promise=promises.TOLD_ONCE,
        file=_PROBLEM,
        original="    for sign in sorted(signs, key=lambda sign: sign.at):",
        mutated="    for sign in signs:",
        tests=(_PROBLEM_TESTS,),
    ),
    Mutant(
        name="the end of a problem that nobody was told of is told",
        promise=promises.TOLD_ONCE,
        file=_PROBLEM,
        original="        if not raised and (before is None or not before.open):",
        mutated="        if not raised and before is None:",
        tests=(_PROBLEM_TESTS,),
    ),
    Mutant(
        name="events whose numbers commit late are not read",
        promise=promises.TOLD_ONCE,
        file="ecom_platform/orchestration/alerting/position.py",
        original="OVERLAP = timedelta(seconds=120)",
        mutated="OVERLAP = timedelta(seconds=0)",
        tests=(
            "ecom_platform_tests/integration/test_check_alerts.py::test_events_whose_numbers_commit_late",
        ),
    ),
    Mutant(
        name="a problem is announced at every tick",
        promise=promises.TOLD_ONCE,
        file=_SQL,
        original="    WHERE source = :source AND announced_at IS NULL\n",
        mutated="    WHERE source = :source AND resolved_at IS NULL\n",
        tests=(f"{_TESTS}::TestOutbox::test_once_a_problem_and_once_its_end",),
    ),
    Mutant(
        name="a message that was refused counts as delivered",
        promise=promises.EVERY_TARGET,
        file=_OUTBOX,
        original="    if error is None:\n        _queries().mark_delivered",
        mutated="    if error is None or attempts:\n        _queries().mark_delivered",
        tests=(f"{_TESTS}::TestTargets::test_500_twice_and_then_200",),
    ),
    Mutant(
        name="what was taken is settled before it is sent",
        promise=promises.EVERY_TARGET,
        file=_SQL,
        original="SET due_at = clock_timestamp() + make_interval(secs => :lease_seconds), attempts",
        mutated="SET state = 'delivered', delivered_at = clock_timestamp(), due_at = clock_timestamp() + "
        "make_interval(secs => :lease_seconds), attempts",
        tests=(f"{_TESTS}::test_killed_in_the_middle_of_sending",),
    ),
    Mutant(
        name="a recovery overtakes the notice of its problem",
        promise=promises.EVERY_TARGET,
        file=_SQL,
        original="            d.notice = 'raised' OR NOT EXISTS (",
        mutated="            d.notice = 'raised' OR EXISTS (",
        tests=(f"{_TESTS}::TestTargets::test_a_recovery_waits_for_the_notice_of_its_problem",),
    ),
    Mutant(
        name="a target that is down is given up at its first refusal",
        promise=promises.EVERY_TARGET,
        file=_OUTBOX,
        original="GIVE_UP_SECONDS = 7 * 24 * 3600.0",
        mutated="GIVE_UP_SECONDS = 0.0",
        tests=(f"{_TESTS}::TestTargets::test_500_twice_and_then_200",),
    ),
    Mutant(
        name="a problem is stored although its transaction fails",
        promise=promises.EVERY_TARGET,
        file=_OUTBOX,
        original="    else:\n        yield where\n",
        mutated="    else:\n        yield where\n        where.commit()\n",
        tests=(f"{_TESTS}::TestOutbox::test_raised_in_a_transaction_that_fails_is_not_raised",),
    ),
    Mutant(
        name="a text is cut before its secrets are masked",
        promise=promises.NO_SECRET,
        file=_REDACTION,
        original='    text = text.replace("\\0", "\\ufffd").encode("utf-8", "replace").decode()\n',
        mutated='    text = text.replace("\\0", "\\ufffd").encode("utf-8", "replace").decode()'
        "[:_LONGEST_TEXT]\n",
        tests=(f"{_SECRETS}::test_a_cut_does_not_uncover_what_stands_across_it",),
    ),
    Mutant(
        name="details are not masked before they are stored",
        promise=promises.NO_SECRET,
        file=_OUTBOX,
        original="{name: redact_value(name, value, secrets) for name, value in problem.details.items()}",
        mutated="dict(problem.details)",
        tests=(f"{_TESTS}::test_a_secret_is_masked_before_it_is_stored",),
    ),
    Mutant(
        name="a secret is masked only as it stands in its URL",
        promise=promises.NO_SECRET,
        file=_REDACTION,
        original="            found.update((part, unquote(part), unquote_plus(part)))",
        mutated="            found.add(part)",
        tests=(f"{_SECRETS}::test_every_part_of_a_url_that_opens_a_door_is_a_secret",),
    ),
    Mutant(
        name="settings show the URLs of targets",
        promise=promises.NO_SECRET,
        file="ecom_platform/settings.py",
        original="    urls: tuple[str, ...] = field(default=(), repr=False)",
        mutated="    urls: tuple[str, ...] = ()",
        tests=(f"{_SECRETS}::test_urls_are_separated_by_commas_or_whitespace_and_never_shown",),
    ),
)
