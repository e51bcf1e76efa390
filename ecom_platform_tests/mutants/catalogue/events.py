"""Faults in reading files: which rows there are, and what is wrong with them."""

from ecom_platform_tests.mutants.catalogue import promises
from ecom_platform_tests.mutants.mutant import Mutant

_DECODING = "ecom_platform/files/feed_decoding.py"
_OPENING = "ecom_platform/files/opening.py"
_TESTS = "ecom_platform_tests/unit/files/test_decoding.py"
_VALIDATION_TESTS = "ecom_platform_tests/unit/feeds/test_validation.py"

MUTANTS = (
    Mutant(
        name="the last line is lost when it has no line end",
        promise=promises.ONE_PLACE,
        file="ecom_platform/files/splitting.py",
        original='        ending = b"\\n" if missing_end else b""',
        mutated='        ending = b""',
        tests=(f"{_TESTS}::test_the_last_line_needs_no_line_end",),
    ),
    Mutant(
        name="a row that the quick path does not take is dropped without a reject",
        promise=promises.ONE_PLACE,
        file=_DECODING,
        original="            self._judge(self._record(row))",
        mutated="            self._record(row)",
        tests=(f"{_TESTS}::test_a_broken_column_rule",),
    ),
    Mutant(
        name="blank lines are not counted in the line number of a reject",
        promise=promises.ONE_PLACE,
        file=_DECODING,
        original="first_line=number + 1,",
        mutated="first_line=2,",
        tests=(f"{_TESTS}::test_blank_lines_before_the_header_count_as_lines",),
    ),
    Mutant(
        name="a price with three decimals passes the quick path",
        promise=promises.ONE_PLACE,
        file="ecom_platform/feeds/types/number_types.py",
        original="    return points, negative, decimals, right & (decimals <= scale)",
        mutated="    return points, negative, np.minimum(decimals, scale), right",
        tests=(f"{_TESTS}::test_a_broken_column_rule",),
    ),
    Mutant(
        name="a view with a price passes",
        promise=promises.ONE_PLACE,
        file="ecom_platform/feeds/rows.py",
        original="            if there and self._holds(absent, values):",
        mutated="            if there and not name and self._holds(absent, values):",
        tests=(f"{_VALIDATION_TESTS}::test_a_price_where_none_belongs_and_none_where_one_belongs",),
    ),
    Mutant(
        name="the time zone of an event's time is ignored by the quick path",
        promise=promises.AS_WRITTEN,
        file="ecom_platform/feeds/types/time_formats.py",
        original="        instants -= moved",
        mutated="        instants -= np.zeros_like(moved)",
        tests=(
            f"{_TESTS}::test_spellings_of_a_time",
            f"{_TESTS}::test_the_vectorised_and_the_tolerant_path_agree",
        ),
    ),
    Mutant(
        name="columns in another order are read in the declared one",
        promise=promises.AS_WRITTEN,
        file="ecom_platform/files/file_columns.py",
        original="            places.append(tuple(at[name] for name in wanted))",
        mutated="            places.append((len(places),))",
        tests=(f"{_TESTS}::test_columns_in_any_order_and_quoted_names",),
    ),
    Mutant(
        name="a link in the place of a file is followed",
        promise=promises.ONLY_FILES,
        file=_OPENING,
        original="flags | os.O_NOFOLLOW | os.O_NONBLOCK",
        mutated="flags | os.O_NONBLOCK",
        tests=("ecom_platform_tests/integration/test_on_call.py::TestSwappedIn",),
    ),
    Mutant(
        name="a pipe in the place of a file is waited for",
        promise=promises.ONLY_FILES,
        file=_OPENING,
        original="flags | os.O_NOFOLLOW | os.O_NONBLOCK",
        mutated="flags | os.O_NOFOLLOW",
        tests=(
            "ecom_platform_tests/integration/test_on_call.py::TestSwappedIn"
            "::test_is_quarantined_and_nothing_of_it_read[False-pipe]",
        ),
        hangs="nobody ever writes into the pipe",
    ),
    Mutant(
        name="what is no regular file is read",
        promise=promises.ONLY_FILES,
        file=_OPENING,
        original="    if not stat.S_ISREG(os.fstat(descriptor).st_mode):",
        mutated="    if stat.S_ISDIR(os.fstat(descriptor).st_mode):",
        tests=("ecom_platform_tests/integration/test_on_call.py::TestSwappedIn",),
    ),
    Mutant(
        name="a scan takes links",
        promise=promises.ONLY_FILES,
        file="ecom_platform/landing/folder/scan.py",
        original="entry.stat(follow_symlinks=False)",
        mutated="entry.stat(follow_symlinks=True)",
        tests=("ecom_platform_tests/unit/landing/test_scan.py::TestLook",),
    ),
)
