"""Vectors of doubles as numba values: the few machine operations that the SHAP kernels are made of.

Numba compiles loops over numbers and leaves it to LLVM whether they become vector instructions, which it does not
for loops that read and write one work array. So the kernels say what they mean: ``Lanes(8)`` is a small language of
eight doubles (one AVX-512 register; two or four on lesser processors, where LLVM splits them), to be used inside
``numba.njit`` functions::

    wide = Lanes(8)
    wide.store(out, i, wide.add(wide.load(a, i), wide.load(b, i)))

All arrays are one-dimensional and C-contiguous, and no bounds are checked.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.core import cgutils as untyped_cgutils
from numba.extending import intrinsic, models, register_model

# Numba's own helpers have no types yet, and numba says that it has.
_cgutils: Any = untyped_cgutils
_DOUBLE, _I64, _I32 = ir.DoubleType(), ir.IntType(64), ir.IntType(32)
_I8, _I1 = ir.IntType(8), ir.IntType(1)


class LanesType(types.Type):
    """Numba type of a vector: ``kind`` is ``double`` or ``mask`` (one bit a lane)."""

    def __init__(self, kind: str, width: int) -> None:
        self.kind = kind
        self.width = width
        super().__init__(name=f"lanes({kind} x {width})")


@register_model(LanesType)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager: Any, lanes: LanesType) -> None:
        element = _DOUBLE if lanes.kind == "double" else _I1
        super().__init__(manager, lanes, ir.VectorType(element, lanes.width))  # type: ignore[no-untyped-call]


def _pointer(context: Any, builder: Any, array_type: Any, array: Any, index: Any, pointee: ir.Type) -> Any:
    """Address of ``array[index]``, as a pointer to ``pointee``."""
    data = _cgutils.create_struct_proxy(array_type)(context, builder, value=array).data
    return builder.bitcast(builder.gep(data, [index]), pointee.as_pointer())


def _splat(builder: Any, scalar: Any, width: int) -> Any:
    vector = ir.VectorType(scalar.type, width)
    first = builder.insert_element(ir.Constant(vector, ir.Undefined), scalar, ir.Constant(_I32, 0))
    zeros = ir.Constant(ir.VectorType(_I32, width), [0] * width)
    return builder.shuffle_vector(first, ir.Constant(vector, ir.Undefined), zeros)


class Lanes:
    """Operations on vectors of one width, each an intrinsic for use in compiled functions.

    Attributes
    ----------
    load, store : ``load(doubles, i)``, ``store(doubles, i, vector)``
        Read or write ``width`` neighbouring float64 values.
    splat : ``splat(x)``
        The same double in every lane.
    broadcast : ``broadcast(doubles, i)``
        One element of an array in every lane.
    add, subtract, multiply, divide : ``add(a, b)``
    multiply_add : ``multiply_add(a, b, c)``
        ``a * b + c`` in one rounding.
    choose : ``choose(mask, a, b)``
        ``a`` where the mask is set, else ``b``.
    total : ``total(vector)``
        Sum of the lanes.
    count_below : ``count_below(doubles, i, x)``
        How many of ``width`` neighbouring float64 values are below ``x``, as int64 (widths up to 8).
    load_mask, store_mask : ``load_mask(bytes, i)``
        One uint8 array element holds the bits of a mask (widths up to 8).
    both, first_only : ``both(a, b)``, ``first_only(a, b)``
        Masks: ``a and b``, ``a and not b``.
    in_run : ``in_run(codes, i, low, span)``
        Mask of the int32 codes from ``codes[i]`` on that are in ``low ... low + span``.
    in_words : ``in_words(codes, i, words, start)``
        Mask of the codes whose bit is set in the uint64 bit set that begins at ``words[start]``.
    """

    def __init__(self, width: int) -> None:
        self.width = width
        doubles, mask = LanesType("double", width), LanesType("mask", width)
        self.load, self.store = _memory(doubles, ir.VectorType(_DOUBLE, width), 8)
        self.load_mask, self.store_mask = _memory(mask, _I8, 1)
        self.splat = _splat_double(doubles)
        self.broadcast = _broadcast(doubles)
        self.add = _elementwise(doubles, 2, lambda builder, a, b: builder.fadd(a, b))
        self.subtract = _elementwise(doubles, 2, lambda builder, a, b: builder.fsub(a, b))
        self.multiply = _elementwise(doubles, 2, lambda builder, a, b: builder.fmul(a, b))
        self.divide = _elementwise(doubles, 2, lambda builder, a, b: builder.fdiv(a, b))
        self.multiply_add = _elementwise(doubles, 3, _fused)
        self.both = _elementwise(mask, 2, lambda builder, a, b: builder.and_(a, b))
        self.first_only = _elementwise(mask, 2, lambda builder, a, b: builder.and_(a, builder.not_(b)))
        self.choose = _choose(doubles, mask)
        self.total = _total(doubles)
        self.count_below = _count_below(doubles)
        self.in_run = _in_run(mask)
        self.in_words = _in_words(mask)


def _element(typing: Any, array: Any, index: Any) -> Any:
    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        data = _cgutils.create_struct_proxy(array)(context, builder, value=args[0]).data
        return builder.load(builder.gep(data, [args[1]]))

    return array.dtype(array, types.intp), code


def _set_element(typing: Any, array: Any, index: Any, value: Any) -> Any:
    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        data = _cgutils.create_struct_proxy(array)(context, builder, value=args[0]).data
        builder.store(args[2], builder.gep(data, [args[1]]))
        return context.get_dummy_value()

    return types.void(array, types.intp, array.dtype), code


# `array[index]` for an index that is not negative. Numba's own looks each time whether it counts from the array's end,
# which took a quarter of the single-row kernel's time.
element: Any = intrinsic(_element)
set_element: Any = intrinsic(_set_element)


def _memory(lanes: LanesType, stored: ir.Type, alignment: int) -> tuple[Any, Any]:
    held = lanes.kind == "double"

    @intrinsic
    def load(typing: Any, array: Any, index: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            value = builder.load(_pointer(context, builder, array, args[0], args[1], stored), align=alignment)
            return value if held else builder.bitcast(value, ir.VectorType(_I1, lanes.width))

        return lanes(array, types.intp), code

    @intrinsic
    def store(typing: Any, array: Any, index: Any, vector: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            value = args[2] if held else builder.bitcast(args[2], stored)
            builder.store(value, _pointer(context, builder, array, args[0], args[1], stored), align=alignment)
            return context.get_dummy_value()

        return types.void(array, types.intp, lanes), code

    return load, store


def _splat_double(lanes: LanesType) -> Any:
    @intrinsic
    def splat(typing: Any, x: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return _splat(builder, args[0], lanes.width)

        return lanes(types.float64), code

    return splat


def _broadcast(lanes: LanesType) -> Any:
    @intrinsic
    def broadcast(typing: Any, array: Any, index: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            scalar = builder.load(_pointer(context, builder, array, args[0], args[1], _DOUBLE))
            return _splat(builder, scalar, lanes.width)

        return lanes(array, types.intp), code

    return broadcast


def _elementwise(lanes: LanesType, n_arguments: int, emit: Callable[..., Any]) -> Any:
    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return emit(builder, *args)

    @intrinsic
    def of_two(typing: Any, a: Any, b: Any) -> Any:
        return lanes(lanes, lanes), code

    @intrinsic
    def of_three(typing: Any, a: Any, b: Any, c: Any) -> Any:
        return lanes(lanes, lanes, lanes), code

    return of_two if n_arguments == 2 else of_three


def _fused(builder: Any, a: Any, b: Any, c: Any) -> Any:
    name = f"llvm.fma.v{a.type.count}f64"  # llvmlite's own `fma` knows scalars only
    function = _cgutils.get_or_insert_function(builder.module, ir.FunctionType(a.type, [a.type] * 3), name)
    return builder.call(function, (a, b, c))


def _choose(lanes: LanesType, mask: LanesType) -> Any:
    @intrinsic
    def choose(typing: Any, condition: Any, a: Any, b: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return builder.select(*args)

        return lanes(mask, lanes, lanes), code

    return choose


def _total(lanes: LanesType) -> Any:
    @intrinsic
    def total(typing: Any, vector: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            parts = [builder.extract_element(args[0], ir.Constant(_I32, i)) for i in range(lanes.width)]
            return reduce(builder.fadd, parts)

        return types.float64(lanes), code

    return total


def _count_below(lanes: LanesType) -> Any:
    @intrinsic
    def count_below(typing: Any, array: Any, index: Any, x: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            vector = ir.VectorType(_DOUBLE, lanes.width)
            found = builder.load(_pointer(context, builder, array, args[0], args[1], vector), align=8)
            is_below = builder.fcmp_ordered("<", found, _splat(builder, args[2], lanes.width))
            return builder.ctpop(builder.zext(builder.bitcast(is_below, ir.IntType(lanes.width)), _I64))

        return types.int64(array, types.intp, types.float64), code

    return count_below


def _codes(context: Any, builder: Any, array_type: Any, array: Any, index: Any, width: int) -> Any:
    return builder.load(_pointer(context, builder, array_type, array, index, ir.VectorType(_I32, width)), align=4)


def _in_run(mask: LanesType) -> Any:
    @intrinsic
    def in_run(typing: Any, codes: Any, index: Any, low: Any, span: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            found = _codes(context, builder, codes, args[0], args[1], mask.width)
            low_lanes, span_lanes = (_splat(builder, scalar, mask.width) for scalar in args[2:])
            # Unsigned, so that a code below `low` wraps round to a number above any span.
            return builder.icmp_unsigned("<=", builder.sub(found, low_lanes), span_lanes)

        return mask(codes, types.intp, types.int32, types.int32), code

    return in_run


def _in_words(mask: LanesType) -> Any:
    @intrinsic
    def in_words(typing: Any, codes: Any, index: Any, words: Any, start: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            found = _codes(context, builder, codes, args[0], args[1], mask.width)
            data = _cgutils.create_struct_proxy(words)(context, builder, value=args[2]).data
            first = builder.gep(data, [args[3]])
            bits = ir.Constant(ir.VectorType(_I1, mask.width), ir.Undefined)
            for lane in range(mask.width):
                position = ir.Constant(_I32, lane)
                one = builder.zext(builder.extract_element(found, position), _I64)
                word = builder.load(builder.gep(first, [builder.lshr(one, ir.Constant(_I64, 6))]))
                shifted = builder.lshr(word, builder.and_(one, ir.Constant(_I64, 63)))
                bits = builder.insert_element(bits, builder.trunc(shifted, _I1), position)
            return bits

        return mask(codes, types.intp, words, types.intp), code

    return in_words
