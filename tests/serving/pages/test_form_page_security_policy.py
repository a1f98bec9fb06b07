from nncli.serving.pages.form_page import security_policy


def test_a_page_may_run_its_own_script_alone() -> None:
    without, with_script = security_policy("a {}"), security_policy("a {}", "start()")
    assert without.startswith("default-src 'none'; ")
    assert "script-src" not in without
    assert "connect-src" not in without
    assert "script-src 'sha256-" in with_script
