"""Faults in what the platform holds against its surroundings: shells, roles, databases, other schemas."""

from ecom_platform_tests.mutants.catalogue import promises
from ecom_platform_tests.mutants.mutant import Mutant

_CONNINFO = "ecom_platform/store/conninfo.py"
_SESSION = "ecom_platform/store/sql/session.sql"
_SPARE = "ecom_platform/store/spare_connections.py"
_TESTS = "ecom_platform_tests/integration/test_surroundings.py"
_SPARE_TESTS = "ecom_platform_tests/unit/store/test_spare_connections.py"

MUTANTS = (
    Mutant(
        name="a session that serves again has not forgotten anything",
        promise=promises.SESSIONS,
        file=_SPARE,
        original='f"DISCARD ALL -- {connection.uses}"',
        mutated='f"SELECT -- {connection.uses}"',
        tests=(f"{_SPARE_TESTS}::test_it_begins_as_a_new_one",),
    ),
    Mutant(
        name="psycopg runs what it had prepared in a session that has forgotten it",
        promise=promises.SESSIONS,
        file=_SPARE,
        original='f"DISCARD ALL -- {connection.uses}".encode()',
        mutated='b"DISCARD ALL"',
        tests=(f"{_SPARE_TESTS}::test_it_begins_as_a_new_one",),
    ),
    Mutant(
        name="a session serves whoever asks next",
        promise=promises.SESSIONS,
        file=_SPARE,
        original=" and spare.connection.purpose == purpose and ",
        mutated=" and ",
        tests=(f"{_SPARE_TESTS}::test_another_database_role_or_variable_has_its_own",),
    ),
    Mutant(
        name="a child process talks into its parent's session",
        promise=promises.SESSIONS,
        file=_SPARE,
        original="spare.owner == here and ",
        mutated="",
        tests=(f"{_SPARE_TESTS}::test_a_forked_child_leaves_its_parents_session_alone",),
    ),
    Mutant(
        name="a session that has gone meanwhile fails who asks next",
        promise=promises.SESSIONS,
        file="ecom_platform/store/connection.py",
        original="            except DatabaseError:\n                pass  # the server went",
        mutated="            except ZeroDivisionError:\n                pass  # the server went",
        tests=(f"{_SPARE_TESTS}::test_one_that_ends_when_it_is_asked_is_replaced",),
    ),
    Mutant(
        name="a session keeps the time zone of its role",
        promise=promises.AS_WRITTEN,
        file=_SESSION,
        original="    set_config('TimeZone', 'UTC', false),\n",
        mutated="",
        tests=(f"{_TESTS}::TestDefaults::test_every_driver_sets_its_own",),
    ),
    Mutant(
        name="a session keeps the date style of its database",
        promise=promises.AS_WRITTEN,
        file=_SESSION,
        original="    set_config('DateStyle', 'ISO, MDY', false),\n",
        mutated="",
        tests=(f"{_TESTS}::TestDefaults::test_every_driver_sets_its_own",),
    ),
    Mutant(
        name="a database of another encoding is taken",
        promise=promises.AS_WRITTEN,
        file="ecom_platform/store/connection.py",
        original="    if encoding != ENCODING:",
        mutated="    if not encoding:",
        tests=(f"{_TESTS}::TestDefaults::test_a_database_of_another_encoding_is_refused_by_name",),
    ),
    Mutant(
        name="the shell's variables reach the embedded server's clients",
        promise=promises.SHELL,
        file=_CONNINFO,
        original="if name in _OVERRULING or (embedded and _LIBPQ.fullmatch(name))",
        mutated="if name in _OVERRULING",
        tests=(f"{_TESTS}::TestShell::test_none_reaches_the_embedded_server",),
    ),
    Mutant(
        name="the shell's variables reach psql on the embedded server",
        promise=promises.SHELL,
        file=_CONNINFO,
        original="if not (is_embedded(url) and _LIBPQ.fullmatch(name))",
        mutated="if name",
        tests=(f"{_TESTS}::TestShell::test_none_reaches_psql_on_the_embedded_server",),
    ),
    Mutant(
        name="a schema of the role's name comes first",
        promise=promises.ONE_SCHEMA,
        file=_SESSION,
        original="    set_config('search_path', quote_ident($1), false),",
        mutated="    set_config('search_path', '\"$user\", ' || quote_ident($1), false),",
        tests=(f"{_TESTS}::TestOneSchema",),
    ),
    Mutant(
        name="two platforms in one database share the ingest lock",
        promise=promises.ONE_SCHEMA,
        file="ecom_platform/store/sql/lock.sql",
        original="SELECT pg_try_advisory_lock(CASE current_schema() WHEN 'public' THEN :key "
        "ELSE hashtextextended(current_schema(), :key) END);",
        mutated="SELECT pg_try_advisory_lock(:key);",
        tests=(f"{_TESTS}::TestOneSchema::test_two_platforms_in_one_database",),
    ),
)
