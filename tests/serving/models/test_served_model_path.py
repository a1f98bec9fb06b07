from nncli.serving.models.served_model import model_path


def test_a_name_is_one_segment_of_the_path() -> None:
    assert model_path("weight") == "/models/weight"
    assert model_path("a b/ü<?") == "/models/a%20b%2F%C3%BC%3C%3F"
