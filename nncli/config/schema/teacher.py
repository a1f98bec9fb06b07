"""The section `teacher`: a run whose predictions a network learns."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from nncli.base.spec import NonNegativeInt, PathText, PositiveInt, Spec, StrictBool, StrictStr


class Teacher(Spec):
    """A run whose predictions the network learns instead of the targets; see `nncli distill`."""

    path: PathText = Field(description="Run directory of the teacher, which was trained on the same table.")
    sha256: StrictStr | None = Field(
        None,
        description="Checksum of the teacher's weights and held-out predictions. null: any; the run has that of its "
        "teacher.",
    )
    members: Annotated[tuple[PositiveInt, ...], Field(min_length=1)] | None = Field(
        None, description="Numbers of the members that teach, from 1; no other may have trained on the validation rows."
    )
    swapped_rows: NonNegativeInt | Literal["auto"] = Field(
        "auto",
        description="Rows made of each training row by swapping 10 to 30 % of its cells for those of another row. "
        "auto: more for a small table.",
    )
    refit: StrictBool = Field(
        False,
        description="Whether the model is another network, taught by all members and all rows. The network that is "
        "taught by `members`, without the validation rows, is then trained for the scores alone.",
    )
