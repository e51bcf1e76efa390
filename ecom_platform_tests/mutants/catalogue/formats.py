"""Faults in the readers of JSON lines, Parquet and packed files."""

from ecom_platform_tests.mutants.catalogue import promises
from ecom_platform_tests.mutants.mutant import Mutant

_JSON = "ecom_platform_tests/unit/files/test_json_decoding.py"
_PARQUET = "ecom_platform_tests/unit/files/test_parquet_decoding.py"

MUTANTS = (
    Mutant(
        name="formats: a key that stands twice in a flat line is not seen",
        promise=promises.FORMATS,
        file="ecom_platform/files/json_scan.py",
        original="right = keys.right & ((at >= 0)",
        mutated="right = keys.right | ((at >= 0)",
        tests=(f"{_JSON}::test_flat_lines_are_what_the_reference_says",),
    ),
    Mutant(
        name="formats: numbers of JSON with a zero before them are numbers",
        promise=promises.FORMATS,
        file="ecom_platform/files/json_scan.py",
        original="    found &= (first != _ZERO) | (ends - begins == 1) | (second == _POINT)\n",
        mutated="",
        tests=(f"{_JSON}::test_flat_lines_are_what_the_reference_says",),
    ),
    Mutant(
        name="formats: of a number with an exponent a digit is lost",
        promise=promises.FORMATS,
        file="ecom_platform/files/json_values.py",
        original="    digits = whole + decimals\n",
        mutated="    digits = (whole + decimals)[:17]\n",
        tests=(f"{_JSON}::test_numbers_lose_no_digit",),
    ),
    Mutant(
        name="formats: elements of one line have one place",
        promise=promises.FORMATS,
        file="ecom_platform/files/chunks.py",
        original="return self.line if self.element is None else self.line << _ELEMENT_BITS | self.element",
        mutated="return self.line if self.element is None else self.line << _ELEMENT_BITS | 1",
        tests=(f"{_JSON}::test_the_bytes_of_refused_records_are_found_again",),
    ),
    Mutant(
        name="formats: bounds are not asked of values of Parquet that go over as they are",
        promise=promises.FORMATS,
        file="ecom_platform/feeds/types/number_types.py",
        original="(numbers <= self._largest) & self._within(numbers)",
        mutated="(numbers <= self._largest)",
        tests=(f"{_PARQUET}::test_every_row_is_what_the_reference_says[bigint]",),
    ),
    Mutant(
        name="formats: a packed file that is cut off ends where it ends",
        promise=promises.FORMATS,
        file="ecom_platform/files/unpacking.py",
        original="            raise UnreadableFile(self._reason, str(error)) from error\n",
        mutated="            return 0\n",
        tests=(
            "ecom_platform_tests/unit/files/test_unpacking.py"
            "::test_one_that_is_cut_off_is_never_read_as_if_it_were_whole[zstd]",
        ),
    ),
)
