"""The field of the erasure code, against multiplication done bit by bit."""

from functools import reduce
from operator import xor

from hypothesis import given
from hypothesis import strategies as st

from aparte.e2ee.spqr.galois import lagrange_coefficients, logarithmic_weights, weighted_sum

ELEMENTS = st.integers(0, 0xFFFF)
VECTORS = st.lists(ELEMENTS, min_size=16, max_size=16)


def multiply(left: int, right: int) -> int:
    """The product of two polynomials over GF(2) modulo x^16 + x^12 + x^3 + x + 1, one bit at a time."""
    product = 0
    for bit in range(16):
        if right >> bit & 1:
            product ^= left << bit
    for bit in range(31, 15, -1):
        if product >> bit & 1:
            product ^= 0x1100B << bit - 16
    return product


def as_integer(vector: list[int]) -> int:
    """Sixteen elements in one integer, the first one highest."""
    return int.from_bytes(b"".join(element.to_bytes(2, "big") for element in vector), "big")


@given(st.lists(st.tuples(ELEMENTS, VECTORS), min_size=1, max_size=6))
def test_a_weighted_sum_is_the_sum_of_products_in_every_place(terms: list[tuple[int, list[int]]]) -> None:
    expected = [reduce(xor, (multiply(c, vector[place]) for c, vector in terms)) for place in range(16)]
    coefficients = [coefficient for coefficient, _ in terms]
    vectors = [as_integer(vector) for _, vector in terms]
    assert weighted_sum(coefficients, vectors) == as_integer(expected)


@given(
    st.lists(ELEMENTS, min_size=1, max_size=8),
    st.lists(ELEMENTS, min_size=9, max_size=9, unique=True),
)
def test_lagrange_coefficients_continue_any_polynomial(polynomial: list[int], places: list[int]) -> None:
    def value(x: int) -> int:
        return reduce(lambda total, coefficient: multiply(total, x) ^ coefficient, polynomial, 0)

    points, x = places[: len(polynomial)], places[-1]
    coefficients = lagrange_coefficients(points, logarithmic_weights(points), x)
    products = (multiply(c, value(point)) for c, point in zip(coefficients, points, strict=True))
    assert reduce(xor, products) == value(x)
