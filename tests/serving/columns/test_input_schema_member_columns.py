from collections.abc import Mapping

from nncli.serving.columns.input_schema import member_columns, of_kind
from nncli.serving.models.served_model import ServedModel


def test_columns_have_those_of_every_member(models: Mapping[str, ServedModel]) -> None:
    for served in models.values():
        columns = member_columns(served.model)
        assert list(columns) == list(served.model.names)
        for name, same_name in columns.items():
            assert {column.name for column in same_name} == {name}
            assert of_kind(type(same_name[0]), same_name)
