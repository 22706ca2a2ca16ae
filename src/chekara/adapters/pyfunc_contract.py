"""What the stock pyfunc model takes and gives: raw contract columns in, one scored row out per row.

Columns are untyped in the signature on purpose: they are read as the files of the contract are, where a number may
come as text and a code must never become a number. Only the columns that the contract requires are required.
"""

from __future__ import annotations

from mlflow.models import ModelSignature
from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema, TensorSpec
from mlflow.types.schema import AnyType

from chekara.adapters.pyfunc_columns import CONTRIBUTIONS, OUTPUT_COLUMNS, WARNINGS
from chekara.data.schema import CROSSING_COLUMNS
from chekara.features.catalogue import laid_columns
from chekara.modelling.spec import ModelSpec


def pyfunc_signature(spec: ModelSpec) -> ModelSignature:
    """Return inputs, outputs and parameters of a model's pyfunc.

    Parameters
    ----------
    spec : ModelSpec

    Returns
    -------
    ModelSignature
        Inputs: the contract's crossing columns, then the extensions and catalogue features that the model names and
        what they need laid beside the rows; all but the contract's required ones optional.
    """
    anything = AnyType()  # type: ignore[no-untyped-call]
    inputs: list[ColSpec | TensorSpec] = [
        ColSpec(anything, column.name, required=column.required) for column in CROSSING_COLUMNS
    ]
    known = {column.name for column in CROSSING_COLUMNS}
    names = dict.fromkeys((*spec.features, *laid_columns(spec.features)))
    inputs += [ColSpec(anything, name, required=False) for name in names if name not in known]
    outputs: list[ColSpec | TensorSpec] = [ColSpec(DataType.string, "crossing_id"), ColSpec(DataType.long, "item_no")]
    outputs += [ColSpec(DataType.double, name, required=False) for name in OUTPUT_COLUMNS]
    outputs += [ColSpec(DataType.string, WARNINGS)]
    return ModelSignature(
        inputs=Schema(inputs),
        outputs=Schema(outputs),
        params=ParamSchema([ParamSpec(CONTRIBUTIONS, DataType.boolean, False)]),
    )
